import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Server as TlsServer } from 'node:tls'
import { z } from 'zod'
import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { CollectorConfig } from './config.ts'
import type { Breach } from './evaluate/breach.ts'
import { Evaluator, type Outcome } from './evaluate/evaluator.ts'
import { EventStreams } from './http/events.ts'
import { createServer, type HttpServer } from './http/server.ts'
import { makeFirstToken, Tokens } from './http/tokens.ts'
import { Ingest } from './ingest.ts'
import { Live } from './live.ts'
import { Dispatch } from './notify/dispatch.ts'
import { buildOverview } from './overview-builder.ts'
import { PathHistory } from './path-history.ts'
import { horizonViews } from './power/horizons.ts'
import { drawnRemarks, liveRemarks } from './power/remarks.ts'
import { PowerDesk } from './power/power-desk.ts'
import { PowerHistory, powerHistoryState } from './power/power-history.ts'
import { Sender, senderState } from './sender.ts'
import { SiteWatch } from './site-watch.ts'
import { allOf, checkFolder, checkPort, listenError, readTls } from './start-checks.ts'
import { StateFile } from './state-file.ts'
import { openStore } from './store/index.ts'
import type { Store } from './store/store.ts'
import { drawnPoints } from './topology/drawn-points.ts'
import { VerdictWriter } from './verdict-writer.ts'

const US_PER_MS = 1000
const TICK_MS = 1000
const FOLLOW_SITE_MS = 2000
/** What changed without anybody being alerted is saved so often: agents last seen, the rules' windows. */
const SAVE_MS = 10_000
/** Losses are said so often, not one by one. */
const SAY_LOSSES_MS = 60_000
/** Counters of the rules that say how much there is, not what was lost. */
const GAUGES: ReadonlySet<string> = new Set(['path_loss_paths', 'path_loss_streams'])
/** Requests under way get so long to end when the collector closes. */
const CLOSE_MS = 1000
const PRIVATE_FOLDER = 0o700
const LOOPBACK = /^(?:127\.|::1$|localhost$)/
const ANY_ADDRESS = /^(?:0\.0\.0\.0|::)$/

/** What outlives a restart besides the points in the store. */
const collectorState = z.object({
  evaluator: z.unknown(),
  dispatch: z.unknown(),
  agents: z.array(senderState),
  power: powerHistoryState.optional(),
})

type Closer = () => Promise<void> | void

/** A running collector: what comes in is stored, judged, told and shown. */
export class Collector {
  readonly #config: CollectorConfig
  readonly #log: Logger
  readonly #startedMs = nowMs()
  /** Last opened, first closed. */
  readonly #closers: Closer[] = []
  readonly #paths = new PathHistory()
  readonly #powerHistory: PowerHistory
  readonly #power: PowerDesk
  readonly #streams: EventStreams
  readonly #live: Live
  readonly #store: Store
  readonly #site: SiteWatch
  readonly #tokens: Tokens
  readonly #evaluator: Evaluator
  readonly #dispatch: Dispatch
  readonly #verdicts: VerdictWriter
  readonly #ingest: Ingest
  readonly #state: StateFile<z.output<typeof collectorState>>
  /** Those with a token when it was last looked at; none before the first look, which finds what was revoked in our absence. */
  #agents: ReadonlySet<string> = new Set()
  #url = ''
  #server: HttpServer | undefined
  #tickFailed = false
  #saidLosses = ''

  private constructor(config: CollectorConfig, log: Logger, opened: Opened) {
    const { store, site, tokens, state } = opened
    this.#config = config
    this.#log = log
    this.#store = store
    this.#site = site
    this.#tokens = tokens
    this.#streams = new EventStreams(config.limits.viewers)
    this.#live = new Live(async () => this.#overview(), this.#streams, nowMs)
    this.#state = new StateFile(stateFile(config), () => this.#snapshot(), log)
    this.#evaluator = new Evaluator(config.rules, state?.evaluator, () => site.site)
    this.#powerHistory = new PowerHistory(state?.power)
    this.#power = new PowerDesk({
      chain: () => this.#evaluator.chain,
      history: (atMs, nameOf) => this.#powerHistory.view(atMs, nameOf),
      siteFileMs: () => site.changedMs,
      nameOf: (party) => site.site.nameOfParty(party),
      contactOf: (party) => site.site.contactOf(party),
      horizonsOf: (model) => [
        ...drawnRemarks(model),
        ...horizonViews(drawnPoints(model), model.drawing),
      ],
      remarks: () =>
        liveRemarks(
          this.#evaluator.chain.takeovers(nowMs() * US_PER_MS),
          this.#evaluator.breaches(),
        ),
      nowMs,
    })
    this.#verdicts = new VerdictWriter(store, log)
    this.#ingest = new Ingest(
      {
        store,
        limits: {
          points: config.limits.points,
          inFlight: config.limits['points-in-flight'],
          series: config.limits['series-per-agent'],
        },
        site: () => site.site,
        judge: (points) => {
          this.#judge(points)
        },
      },
      (state?.agents ?? []).map((agent) => new Sender(agent.agent, agent.site, agent)),
    )
    this.#dispatch = new Dispatch({
      notifiers: config.notify.map(({ create, ...route }) => ({
        ...route,
        notifier: create({ log, now: nowMs }),
      })),
      log,
      link: (breach) => this.#link(breach),
      nameOf: (party) => site.site.nameOfParty(party),
      channelsOf: (party) => site.site.channelsOf(party),
      restored: state?.dispatch,
      onChange: () => void this.#state.save(),
    })
  }

  /**
   * Opens everything and listens.
   * @throws PermanentError with everything that is wrong, a line each
   */
  static async start(config: CollectorConfig, log: Logger): Promise<StartedCollector> {
    const [, , tls, site] = await allOf([
      checkFolder(config.data),
      checkPort(config.listen),
      readTls(config.tls),
      SiteWatch.open(config['site-file'], log),
    ])
    if (!LOOPBACK.test(config.listen.host) && tls === undefined)
      log.warn(
        { listen: config.listen },
        'tokens and measurements cross the network in clear text: set tls, or put a proxy with TLS in front',
      )
    const folder = join(config.data, 'store')
    await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER })
    const store = await openStore(config.store, { folder, log, nowUs, every })
    try {
      const adminToken = await makeFirstToken(config.data, new Date().toISOString())
      const tokens = await Tokens.open(config.data, nowMs)
      const state = await StateFile.read(stateFile(config), collectorState, log)
      const collector = new Collector(config, log, { store, site, tokens, state })
      await collector.#open(tls).catch(async (error: unknown) => {
        await collector.#dispatch.close()
        throw error
      })
      return { collector, adminToken }
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Where it listens, such as http://127.0.0.1:8420. */
  get url(): string {
    return this.#url
  }

  /** Reads again what may have changed on the disk: the site file, the certificates. */
  async reload(): Promise<void> {
    await this.#site.follow()
    try {
      const tls = await readTls(this.#config.tls)
      const server: unknown = this.#server?.server
      if (tls !== undefined && server instanceof TlsServer) server.setSecureContext(tls)
    } catch (error) {
      this.#log.error({ reason: reasonOf(error) }, 'certificates not usable: the ones before stay')
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        this.#log.error({ reason: reasonOf(error) }, 'closing failed')
      }
    }
  }

  async #open(tls: Awaited<ReturnType<typeof readTls>>): Promise<void> {
    const { limits, listen, console: page } = this.#config
    await this.#loadPaths()
    const server = await createServer({
      log: this.#log,
      ingest: this.#ingest,
      tokens: this.#tokens,
      overview: async () => this.#live.json(),
      follow: async (begin) => this.#live.follow(begin),
      power: this.#power,
      problem: async () => this.#problem(),
      streams: this.#streams,
      nowMs,
      loopbackMayRead: page.anonymous === 'loopback',
      limits: {
        bodyBytes: limits.body,
        inflatedBytes: limits.inflated,
        inFlightBytes: limits['bytes-in-flight'],
        connections: limits.connections,
      },
      consoleFolder: consoleFolder(),
      tls,
    })
    this.#server = server
    // Whoever asks first is not told that nothing is drawn.
    await this.#tick()
    await server.listen(listen).catch(async (error: unknown) => {
      await server.close()
      throw listenError(listen.host, listen.port, error)
    })
    this.#url = urlOf(server, tls !== undefined)
    this.#closers.push(
      async () => this.#store.close(),
      async () => this.#state.save(),
      async () => this.#verdicts.flush(),
      async () => this.#dispatch.close(),
      async () => this.#closeServer(server),
      every(TICK_MS, () => void this.#tick()),
      every(FOLLOW_SITE_MS, () => void this.#site.follow()),
      every(SAVE_MS, () => void this.#state.save()),
      every(SAY_LOSSES_MS, () => {
        this.#sayLosses()
      }),
    )
  }

  async #loadPaths(): Promise<void> {
    try {
      await this.#paths.load(this.#store, nowMs())
    } catch (error) {
      this.#log.warn({ reason: reasonOf(error) }, 'the store gives no history: charts begin now')
    }
  }

  /** Whoever is being answered gets the answer; whoever then still holds on is cut off. */
  async #closeServer(server: HttpServer): Promise<void> {
    this.#streams.close()
    const cutOff = setTimeout(() => {
      server.server.closeAllConnections()
    }, CLOSE_MS)
    await server.close()
    clearTimeout(cutOff)
  }

  /** Durable points: never fails, for whoever sent them has been promised their storage, not our judgement. */
  #judge(points: readonly Measurement[]): void {
    try {
      this.#apply(this.#evaluator.observe(points, nowUs()))
    } catch (error) {
      this.#log.error({ reason: reasonOf(error) }, 'points stored but not judged')
    }
  }

  #apply({ changes, points }: Outcome): void {
    if (points.length > 0) {
      this.#paths.add(points)
      this.#powerHistory.add(points)
      this.#verdicts.add(points)
    }
    if (changes.length > 0) {
      for (const { kind, breach, explainedBy } of changes)
        this.#log.info(
          { alert: kind, object: breach.object, id: breach.id, explainedBy },
          breach.summary,
        )
      // What is explained by another alert is shown, and nobody is woken by it.
      this.#dispatch.enqueue(changes.filter(({ explainedBy }) => explainedBy === undefined))
      void this.#state.save()
    }
    this.#live.changed()
  }

  async #tick(): Promise<void> {
    try {
      const outcome = this.#evaluator.tick(nowUs())
      if (outcome.changes.length + outcome.points.length > 0) this.#apply(outcome)
      await this.#forgetRevoked()
      await this.#live.tick()
      await this.#verdicts.flush()
      this.#tickFailed = false
    } catch (error) {
      if (!this.#tickFailed) this.#log.error({ reason: reasonOf(error) }, 'a tick failed')
      this.#tickFailed = true
    }
  }

  async #forgetRevoked(): Promise<void> {
    const agents = await this.#tokens.agents()
    if (agents === this.#agents) return
    this.#agents = agents
    for (const { agent } of this.#ingest.senders) {
      if (agents.has(agent)) continue
      this.#ingest.forget(agent)
      this.#evaluator.forgetAgent(agent)
    }
  }

  /** What was refused or lost since the start, whenever it became more. */
  #sayLosses(): void {
    const losses = {
      unknownFields: this.#ingest.unknownFields,
      forgedFarewells: this.#ingest.forgedFarewells,
      verdictsDropped: this.#verdicts.dropped,
      viewersDropped: this.#streams.dropped,
      ...Object.fromEntries(
        Object.entries(this.#evaluator.counters()).filter(([name]) => !GAUGES.has(name)),
      ),
    }
    const said = JSON.stringify(losses)
    if (said !== this.#saidLosses) this.#log.info(losses, 'counted since the start')
    this.#saidLosses = said
  }

  async #problem(): Promise<string | undefined> {
    if (this.#tickFailed) return 'the rules do not run: see the log'
    const { ok, reason } = await this.#store.ready()
    return ok ? undefined : `the store takes no writes: ${reason ?? 'no reason given'}`
  }

  async #overview() {
    const { ok, reason } = await this.#store.ready()
    return buildOverview({
      nowMs: nowMs(),
      startedMs: this.#startedMs,
      store: { kind: this.#store.kind, ...(ok ? {} : { problem: reason ?? 'takes no writes' }) },
      notices: this.#config.notices,
      paths: this.#paths,
      breaches: this.#evaluator.breaches(),
      limitsOf: (path) => this.#evaluator.shownLimits(path),
      nameOf: (party) => this.#site.site.nameOfParty(party),
      senders: this.#ingest.senders,
      power: this.#power.summary(),
      link: (breach) => this.#link(breach),
      explanationOf: (breach) => this.#evaluator.explanationOf(breach),
    })
  }

  #snapshot(): z.output<typeof collectorState> {
    return {
      evaluator: this.#evaluator.snapshot(),
      dispatch: this.#dispatch.snapshot(),
      agents: this.#ingest.senders.map(({ state }) => state),
      power: this.#powerHistory.snapshot(),
    }
  }

  /** The console with the alert open. */
  #link({ id }: Breach): string {
    const base = (this.#config.url ?? this.#url).replace(/\/$/, '')
    return `${base}/#alert-${encodeURIComponent(id)}`
  }
}

export interface StartedCollector {
  readonly collector: Collector
  /** Made at the first start only: nobody can ask for it again. */
  readonly adminToken: string | undefined
}

interface Opened {
  readonly store: Store
  readonly site: SiteWatch
  readonly tokens: Tokens
  readonly state: z.output<typeof collectorState> | undefined
}

function nowMs(): number {
  return Date.now()
}

function nowUs(): number {
  return Date.now() * US_PER_MS
}

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => {
    clearInterval(timer)
  }
}

function stateFile({ data }: CollectorConfig): string {
  return join(data, 'state.json')
}

/** As somebody else would write it: an address that means "all of mine" is given by name. */
function urlOf(server: HttpServer, isTls: boolean): string {
  const address = server.server.address()
  if (address === null || typeof address === 'string') return server.listeningOrigin
  const { address: host, family, port } = address
  const name = ANY_ADDRESS.test(host) ? hostname() : family === 'IPv6' ? `[${host}]` : host
  return `${isTls ? 'https' : 'http'}://${name}:${port}`
}

/** dist/console, from collector/ as source and from dist/collector/ when built. */
function consoleFolder(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? '../dist/console/' : '../console/',
    import.meta.url,
  )
}
