import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { ChainNow } from '../evaluate/power/chain.ts'
import type {
  HorizonView,
  PowerHistoryView,
  PowerMatch,
  PowerSummary,
  WhatIfView,
} from '../http/power-view.ts'
import type { PowerPages, Refused, WhatIfQuery } from '../http/power-routes.ts'
import { buildPowerView, powerSummary } from '../power-view-builder.ts'
import { whatIf } from '../topology/what-if.ts'
import type { Model } from '../topology/model.ts'
import { readWindow } from '../written-times.ts'
import { ChainMap } from './chain-map.ts'

const zip = promisify(gzip)
const US_PER_MS = 1000
/** A view is not made again sooner than this while the chain stands still: the minutes in its history go on. */
const FRESH_MS = 10_000
/** Views of different chains kept at a time; when full, the one made longest ago goes. */
const MAX_KEPT = 8
const MAX_MATCHES = 20
const MAX_ASKED = 200
const MAX_COMPONENTS = 1000

export interface DeskSources {
  readonly chain: () => { readonly now: ChainNow | undefined; readonly version: number }
  readonly history: (
    nowMs: number,
    nameOf: (id: string, isService: boolean) => string,
  ) => PowerHistoryView
  readonly siteFileMs: () => number | null
  readonly nameOf: (party: string) => string
  readonly contactOf: (party: string) => string
  readonly horizonsOf: (model: Model) => readonly HorizonView[]
  /** What is to be said besides, of the moment. */
  readonly remarks: () => readonly HorizonView[]
  readonly nowMs: () => number
}

interface Kept {
  readonly version: number
  readonly madeMs: number
  readonly json: string
  zipped: Promise<Buffer> | undefined
}

/** Answers what the page Power asks. */
export class PowerDesk implements PowerPages {
  readonly #sources: DeskSources
  readonly #kept = new Map<string, Kept>()
  #map: ChainMap | undefined
  #horizons: readonly HorizonView[] = []

  constructor(sources: DeskSources) {
    this.#sources = sources
  }

  /** Undefined where nothing is drawn. */
  summary(): PowerSummary | null {
    const { now, version } = this.#sources.chain()
    return now === undefined ? null : powerSummary(version, now)
  }

  view(of: string | undefined): string {
    return this.#keptView(of).json
  }

  async zippedView(of: string | undefined): Promise<Buffer> {
    const kept = this.#keptView(of)
    kept.zipped ??= zip(kept.json)
    return await kept.zipped
  }

  whatIf({ fail, from, to }: WhatIfQuery): WhatIfView | Refused {
    const { nowMs, chain } = this.#sources
    const { now } = chain()
    if (now === undefined) return refused('no-drawing', 'nothing is drawn in the site file')
    if (fail.length === 0 || fail.length > MAX_ASKED)
      return refused('bad-question', `fail: expected 1 to ${MAX_ASKED} ids of components`)
    const stranger = fail.find((id) => !now.live.model.indexOf.has(id))
    if (stranger !== undefined)
      return refused('unknown-component', `fail: no component has the id "${stranger}"`)
    const window = from === '' && to === '' ? undefined : readWindow(`${from}/${to}`, nowMs())
    if (typeof window === 'string') return refused('bad-window', `from, to: ${window}`)
    const question = { fail, window }
    const answer = whatIf(now.live, now.observations, question, nowMs() * US_PER_MS)
    return {
      ...answer,
      fail,
      fromMs: window === undefined ? null : window.fromUs / US_PER_MS,
      toMs: window === undefined ? null : window.toUs / US_PER_MS,
      components: answer.components.slice(0, MAX_COMPONENTS),
      componentsCount: answer.components.length,
    }
  }

  /** Components and services with the text in their id, label or place: those that begin with it first. */
  search(text: string): readonly PowerMatch[] {
    const { now } = this.#sources.chain()
    const wanted = text.trim().toLowerCase()
    if (now === undefined || wanted === '') return []
    const { components, services } = now.live.model.drawing
    const all: PowerMatch[] = [
      ...[...services.values()].map(({ id, label = '', serves = '' }) => ({
        ...{ id, label, kind: 'service', place: serves },
      })),
      ...[...components.values()].map(({ id, label = '', kind, place = '' }) => ({
        ...{ id, label, kind, place },
      })),
    ]
    const hits = all.filter(({ id, label, place }) =>
      [id, label, place].some((part) => part.toLowerCase().includes(wanted)),
    )
    const begins = ({ id }: PowerMatch): number => Number(id.toLowerCase().startsWith(wanted))
    return hits.sort((a, b) => begins(b) - begins(a)).slice(0, MAX_MATCHES)
  }

  #keptView(of: string | undefined): Kept {
    const { chain, nowMs } = this.#sources
    const { version } = chain()
    const key = of ?? ''
    const kept = this.#kept.get(key)
    const atMs = nowMs()
    if (kept?.version === version && Math.abs(atMs - kept.madeMs) < FRESH_MS) return kept
    const made = { version, madeMs: atMs, json: this.#json(of), zipped: undefined }
    this.#kept.delete(key)
    this.#kept.set(key, made)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return made
  }

  #json(of: string | undefined): string {
    const { chain, history, horizonsOf, nameOf, contactOf, nowMs, siteFileMs } = this.#sources
    const { now, version } = chain()
    if (now !== undefined && this.#map?.model !== now.live.model) {
      this.#map = new ChainMap(now.live.model)
      this.#horizons = horizonsOf(now.live.model)
    }
    const atMs = nowMs()
    return JSON.stringify(
      buildPowerView(
        {
          nowMs: atMs,
          version,
          chain: now === undefined || this.#map === undefined ? undefined : { map: this.#map, now },
          siteFileMs: siteFileMs(),
          horizons: [...this.#sources.remarks(), ...this.#horizons],
          history: (labelOf) => history(atMs, labelOf),
          nameOf,
          contactOf,
        },
        of,
      ),
    )
  }
}

function refused(code: string, message: string): Refused {
  return { code, message }
}
