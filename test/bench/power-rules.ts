import { spawnSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Evaluator, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import type { Component, Drawing } from '../../collector/topology/dependency.ts'
import { prepareInSteps } from '../../collector/topology/prepare.ts'
import { Site } from '../../collector/topology/site.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { readConfig } from '../../common/config.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { NOW_US } from '../support/drawings.ts'
import { largeDrawing } from '../support/large-drawing.ts'

const SIZES = [150, 1000, 10_000]
const CHILD = 'KIESTOON_BENCH_POWER_RULES'
const TARGET_MS = { slice: 50, change: 100, many: 300 }
const US_PER_S = 1_000_000
/** Every agent reads everything of its site so often. */
const ROUND_S = 10
const AT_ONCE = 20
const AFTER_S = 20
const MS_PER_US = 1 / 1000
const MIB_PER_KIB = 1 / 1024
/** Changes one after another, each told of and over. */
const CHANGES = 60
const KINDS_BY_PING: ReadonlySet<string> = new Set([
  ...['switch', 'router', 'gateway', 'phone', 'pbx'],
])

/**
 * A collector's rules over drawings of a company of many sites, each with an agent that reads its power and pings all else, each size in a
 * process of its own: what a change of state costs from the points to the alerts, cold and warm, and many at once.
 */
export function bench(): void {
  const size = process.env[CHILD]
  if (size !== undefined) {
    measure(Number(size))
    return
  }
  for (const one of SIZES) {
    const main = fileURLToPath(new URL('main.ts', import.meta.url))
    const args = ['--import', './test/support/typescript.js', main, 'power-rules']
    const env = { ...process.env, [CHILD]: String(one) }
    const { stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
    console.log(stdout.split('\n').slice(3).join('\n'))
  }
}

function measure(size: number): void {
  const drawing = watched(largeDrawing(size))
  const company = new Company(drawing)
  console.log(`${drawing.components.size} components, ${drawing.services.size} services`)
  print('site file, read', company.read)
  printAll('slices of what follows from it', company.slices, TARGET_MS.slice)
  print('first tick', company.second().longest, TARGET_MS.change)
  const seconds = (count: number): Took[] =>
    Array.from({ length: count }, () => company.second().longest)
  printAll('longest piece of a second, first readings', seconds(ROUND_S), TARGET_MS.change)
  const ids = [...drawing.components.keys()].sort()
  const ups = ids.filter((id) => /-ups-.$/.test(id))
  const switches = ids.filter((id) => /-sw-\d$/.test(id))
  const first = ups.slice(-1)
  print('first change, cold: a UPS on battery', company.turn(first).all, TARGET_MS.change)
  printAll('longest piece of a second after it', seconds(AFTER_S), TARGET_MS.change)
  company.turn(first)
  seconds(AFTER_S)
  const step = Math.ceil((ups.length + switches.length) / CHANGES)
  const some = [...ups, ...switches].filter((_, at) => at % step === 0)
  const changes: Took[] = []
  const between: Took[] = []
  for (const id of [...some, ...ids.filter((it) => /^dc-(?:core|ups|pbx)/.test(it))]) {
    for (let turn = 0; turn < 2; turn++) {
      changes.push(company.turn([id]).all)
      between.push(...seconds(ROUND_S + 1))
    }
  }
  printAll('a change: a UPS, a switch, the centre', changes, TARGET_MS.change)
  printAll('longest piece of a second between', between, TARGET_MS.change)
  const many = switches.filter((_, at) => at % Math.ceil(switches.length / AT_ONCE) === 0)
  const turns: Took[] = []
  const later: Took[] = []
  for (let turn = 0; turn < 4; turn++) {
    turns.push(company.turn(many).all)
    later.push(...seconds(AFTER_S))
  }
  printAll(`${many.length} switches at once, each in another batch`, turns, TARGET_MS.many)
  printAll('longest piece of a second after it', later, TARGET_MS.change)
  console.log(`  ${company.told} alerts told of`)
  const peakMib = process.resourceUsage().maxRSS * MIB_PER_KIB
  console.log(`  peak RSS ${peakMib.toFixed(0)} MiB`)
}

/** Of what is judged at one moment: all of it, and the longest piece, in which the collector does nothing else. */
interface Times {
  readonly all: Took
  readonly longest: Took
}

/** A collector and the agents of a company, on a clock of its own. */
class Company {
  readonly read: Took
  readonly slices: Took[] = []
  told = 0
  readonly #evaluator: Evaluator
  /** By site, what its agent reads. */
  readonly #sites = new Map<string, readonly Component[]>()
  readonly #down = new Set<string>()
  #nowUs = NOW_US

  constructor(drawing: Drawing) {
    const text = JSON.stringify(inFile(drawing))
    const read = timed(() => new Site(readConfig(siteFile, text, 'site.yaml')))
    this.read = read
    const { model } = read.result
    const steps = model === undefined ? undefined : prepareInSteps(model)
    while (steps !== undefined) {
      const { result, ...took } = timed(() => steps.next())
      this.slices.push(took)
      if (result.done === true) break
    }
    this.#evaluator = new Evaluator(rulesOptions.parse({}), undefined, () => read.result)
    for (const component of drawing.components.values()) {
      if (component.watch === undefined) continue
      const [site = ''] = component.id.split('-')
      this.#sites.set(site, [...(this.#sites.get(site) ?? []), component])
    }
  }

  /** What is in state becomes the other, each told of in a batch of its agent; then a tick. */
  turn(ids: readonly string[]): Times {
    for (const id of ids)
      if (this.#down.has(id)) this.#down.delete(id)
      else this.#down.add(id)
    this.#nowUs += US_PER_S
    const sites = new Set(ids.map((id) => id.split('-')[0] ?? ''))
    return this.#judge([...sites])
  }

  /** A tenth of the agents tell of all they read, each in a batch; then a tick. */
  second(): Times {
    this.#nowUs += US_PER_S
    const turn = Math.round(this.#nowUs / US_PER_S) % ROUND_S
    return this.#judge([...this.#sites.keys()].filter((_, at) => at % ROUND_S === turn))
  }

  #judge(sites: readonly string[]): Times {
    const calls = [
      ...sites.map((site) => {
        const points = this.#batch(site)
        return (): Outcome => this.#evaluator.observe(points, this.#nowUs)
      }),
      (): Outcome => this.#evaluator.tick(this.#nowUs),
    ]
    const times = calls.map((call) => {
      const { result, ...took } = timed(call)
      this.told += result.changes.length
      return took
    })
    const all = times.reduce((sum, { ms, cpuMs }) => ({
      ms: sum.ms + ms,
      cpuMs: sum.cpuMs + cpuMs,
    }))
    return { all, longest: times.reduce((most, one) => (one.ms > most.ms ? one : most)) }
  }

  #batch(site: string): readonly Measurement[] {
    const tags = { agent: `gw-${site}`, site }
    const beat = measurement('agent', this.#nowUs, tags, { uptime_s: 1e6 })
    const points = (this.#sites.get(site) ?? []).flatMap(({ id, watch }): Measurement[] => {
      if (watch === undefined) return []
      const { measurement: name, target } = watch
      const fields = fieldsOf(name, this.#down.has(id))
      return [{ ...beat, name, tags: { ...tags, target }, fields }]
    })
    return [beat, ...points]
  }
}

function fieldsOf(name: Measurement['name'], isDown: boolean): Measurement['fields'] {
  const intervalMs = ROUND_S * 1000
  if (name === 'ups')
    return isDown
      ? { line: 'battery', comms_lost: false, charge_ratio: 0.9, runtime_left_s: 900 }
      : { line: 'online', comms_lost: false }
  if (name === 'power_supply') return { line: isDown ? 'battery' : 'online' }
  return { interval_ms: intervalMs, sent: 5, received: isDown ? 0 : 5 }
}

/** Everything that answers is pinged. */
function watched(drawing: Drawing): Drawing {
  const components = new Map(
    [...drawing.components].map(([id, component]) => {
      const { kind, watch } = component
      const name = kind === 'ups' ? 'ups' : KINDS_BY_PING.has(kind) ? 'ping' : undefined
      if (watch !== undefined || name === undefined) return [id, component]
      const made: Component = { ...component, watch: { measurement: name, target: id } }
      return [id, made]
    }),
  )
  return { ...drawing, components }
}

function inFile({ components, services }: Drawing): unknown {
  return {
    components: Object.fromEntries(
      [...components.values()].map(({ id, runtimeS, startS, fuelS, ...rest }) => [
        id,
        {
          ...rest,
          ...(runtimeS === undefined ? {} : { runtime: `${runtimeS}s` }),
          ...(startS === undefined ? {} : { start: `${startS}s` }),
          ...(fuelS === undefined ? {} : { fuel: `${fuelS}s` }),
        },
      ]),
    ),
    services: Object.fromEntries(
      [...services.values()].map(({ id, holdUpS, isEmergency, ...rest }) => [
        id,
        {
          ...rest,
          emergency: isEmergency,
          ...(holdUpS === undefined ? {} : { 'hold-up': `${holdUpS}s` }),
        },
      ]),
    ),
  }
}

/** By the clock, and by the processor: on a machine that does other work the clock goes on meanwhile. */
interface Took {
  readonly ms: number
  readonly cpuMs: number
}

function timed<T>(work: () => T): Took & { readonly result: T } {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(cpu)
  return { ms: performance.now() - start, cpuMs: (user + system) * MS_PER_US, result }
}

function print(what: string, { ms, cpuMs }: Took, atMost?: number): void {
  const target = atMost === undefined ? '' : `  (at most ${atMost})`
  console.log(
    `  ${what.padEnd(52)}${ms.toFixed(1).padStart(9)} ms, ${cpuMs.toFixed(1)} of processor${target}`,
  )
}

function printAll(what: string, all: readonly Took[], atMost: number): void {
  const worst = all.reduce((most, one) => (one.ms > most.ms ? one : most))
  const median = medianOf(all.map(({ ms }) => ms))
  const cpu = all.map(({ cpuMs }) => cpuMs)
  console.log(
    `  ${what.padEnd(52)}${median.toFixed(1).padStart(9)} ms median, worst ${worst.ms.toFixed(1)} of ${all.length}; ` +
      `of processor ${medianOf(cpu).toFixed(1)}, worst ${Math.max(...cpu).toFixed(1)}  (at most ${atMost})`,
  )
}

function medianOf(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0
}
