/** What the console's page Power shows, as the server sends it: the answer of GET /api/v1/power. */
export interface PowerView {
  readonly atMs: number
  /** That of the newest overview when this was made: another one there says that this is out of date. */
  readonly version: number
  /** Null where nothing is drawn in the site file. */
  readonly drawing: DrawingView | null
  /** Emergencies first, then what has the fewest minutes left, then what is down or at risk, then by name. At most 300. */
  readonly services: readonly ServiceView[]
  readonly servicesLeftOut: number
  /** What is drawn: each after what it needs. At most 300. */
  readonly components: readonly ComponentView[]
  /** Components of the site file that are not in the drawing shown. */
  readonly componentsLeftOut: number
  /** New ones first, then those nobody accepted, then the accepted ones. At most 200. */
  readonly singlePoints: readonly SinglePointView[]
  readonly singlePointsLeftOut: number
  /** Redundancy that is none, what is not drawn, what runs out without mains, and what lasts shorter than it should. At most 50. */
  readonly horizons: readonly HorizonView[]
  readonly horizonsLeftOut: number
  /** What is wrong in the whole site file, the worst first. At most 20. */
  readonly troubles: readonly TroubleView[]
  readonly troublesLeftOut: number
  /** Who answers for something that is drawn, by name. At most 50. */
  readonly people: readonly PersonView[]
  /** "input of ups-1 lost: mains-a or something between" */
  readonly notes: readonly string[]
  /** There were too many combinations to count them all: pairs may be missing. */
  readonly truncated: boolean
  readonly history: PowerHistoryView
}

export interface DrawingView {
  /** In the whole site file. */
  readonly components: number
  readonly services: number
  /** When the site file was last changed; null where its file does not say. */
  readonly siteFileMs: number | null
  /** The service or component whose chain is shown; null: everything. */
  readonly of: string | null
  /** It was not asked for: there is too much to show everything, so the service that needs most attention is shown. */
  readonly isChosen: boolean
}

/** Assumed: nothing watches it, so it is taken to work until somebody says otherwise. */
export type PowerState = 'up' | 'degraded' | 'down' | 'unknown' | 'assumed'

/** One component, or several alike that are shown as one. What the site file does not say is ''. */
export interface ComponentView {
  readonly id: string
  readonly label: string
  readonly kind: string
  readonly site: string
  readonly place: string
  readonly circuit: string
  readonly serial: string
  readonly contract: string
  /** The party's name. */
  readonly owner: string
  /** As 2024-05-31. */
  readonly batteryInstalled: string
  /** How many it stands for. */
  readonly count: number
  /** Of several shown as one: their ids, at most 100; else none. */
  readonly members: readonly string[]
  readonly needs: readonly NeedView[]
  /** "mains-a or ups-1-battery" */
  readonly needsWords: string
  readonly state: PowerState
  /** "on battery, 62 % charge, 11 min left" */
  readonly stateText: string
  readonly sinceMs: number | null
  readonly isWatched: boolean
  /** Until it falls if nothing changes; null while nothing it stands on runs out. */
  readonly minutesLeft: number | null
  /** Services that its failure alone would stop now; at most 20 of `stopsCount`. */
  readonly stops: readonly string[]
  readonly stopsCount: number
  /** Services that would go on without it, but that one more failure would then stop; at most 20 of `oneLegCount`. */
  readonly oneLeg: readonly string[]
  readonly oneLegCount: number
}

/** A component that is itself not as it should be, and no mere consequence. What the site file does not say is ''. */
export interface TroubleView {
  readonly id: string
  readonly label: string
  readonly kind: string
  readonly place: string
  readonly circuit: string
  readonly contract: string
  /** The party's name. */
  readonly owner: string
  readonly state: PowerState
  readonly stateText: string
  readonly sinceMs: number | null
  readonly minutesLeft: number | null
}

export interface PersonView {
  readonly name: string
  /** A telephone number, where it is read; '' where the site file does not say. */
  readonly contact: string
}

export interface NeedView {
  readonly id: string
  /** One of several that will do. */
  readonly isChoice: boolean
}

export interface ServiceView {
  readonly id: string
  readonly label: string
  /** The site whose people use it; '' where the site file does not say. */
  readonly serves: string
  readonly owner: string
  readonly isEmergency: boolean
  /** At risk: it works unless something is down of which nothing is known. */
  readonly state: 'up' | 'at-risk' | 'down' | 'unknown'
  /** It is in the drawing; some of what it needs may not be. */
  readonly isDrawn: boolean
  readonly needs: readonly NeedView[]
  readonly needsWords: string
  /** Why it is down, or of what nothing is known: sets of ids. */
  readonly because: readonly (readonly string[])[]
  /** Components whose failure alone would stop it now; at most 20 of `singlesCount`. */
  readonly singles: readonly string[]
  readonly singlesCount: number
  /** Of these, those that are none as drawn: redundancy is lost. */
  readonly newSingles: readonly string[]
  /** Two that together would stop it; at most 20 of `pairsCount`. */
  readonly pairs: readonly (readonly string[])[]
  readonly pairsCount: number
  readonly minutesLeft: number | null
  readonly holdUpMin: number | null
  readonly promiseRatio: number | null
}

export interface SinglePointView {
  readonly id: string
  readonly label: string
  readonly kind: string
  readonly place: string
  readonly circuit: string
  readonly owner: string
  /** The services it would stop; at most 20 of `stopsCount`. */
  readonly stops: readonly string[]
  readonly stopsCount: number
  readonly isNew: boolean
  readonly accepted: AcceptedView | null
}

export interface AcceptedView {
  readonly by: string
  readonly reason: string
  /** As 2027-05-31. */
  readonly review: string
  readonly isOverdue: boolean
}

export interface HorizonView {
  /**
   * design-gap: shorter than promised; runs-out: ends at some time; own-battery: a battery behind its own UPS; measured-load, drawn-load:
   * what is left cannot carry it all; poe: ports a switch would not feed; not-drawn: died together, shares nothing that is drawn ...
   */
  readonly kind: string
  /** Of the service or component it is about. */
  readonly id: string
  readonly label: string
  readonly text: string
}

export const POWER_HISTORY_STEPS = 1440
export const POWER_HISTORY_STEP_MS = 60_000

/** The last 24 hours. */
export interface PowerHistoryView {
  readonly fromMs: number
  /** The worst loss of a path in each minute, 0..1, oldest first; empty where none was measured at all. */
  readonly loss: readonly (number | null)[]
  /** What did not work all the time: services first, then what changed last. At most 20. */
  readonly lanes: readonly LaneView[]
  /** Newest first, at most 50. */
  readonly events: readonly PowerEventView[]
}

export interface LaneView {
  readonly id: string
  readonly label: string
  readonly isService: boolean
  readonly spans: readonly SpanView[]
}

export interface SpanView {
  readonly fromMs: number
  /** Null: it still is so. */
  readonly toMs: number | null
  readonly state: string
  readonly text: string
}

export interface PowerEventView {
  readonly atMs: number
  readonly id: string
  readonly label: string
  readonly state: string
  readonly text: string
}

/** May it be taken out? The answer of GET /api/v1/power/what-if. */
export interface WhatIfView {
  readonly go: boolean
  /** By id. */
  readonly fail: readonly string[]
  readonly fromMs: number | null
  readonly toMs: number | null
  /** Services that would stop at once, by id. */
  readonly stopped: readonly string[]
  readonly runsOut: readonly { readonly service: string; readonly afterMin: number }[]
  /** Services that would go on with single points of failure that they do not have now. */
  readonly oneLeg: readonly { readonly service: string; readonly singles: readonly string[] }[]
  readonly alreadyDown: readonly string[]
  readonly atRisk: readonly string[]
  readonly unknownRuntimes: readonly string[]
  /** Components that would stop with it, by id; at most 1000 of `componentsCount`. */
  readonly components: readonly string[]
  readonly componentsCount: number
}

/** One hit of GET /api/v1/power/search. */
export interface PowerMatch {
  readonly id: string
  readonly label: string
  readonly kind: string
  readonly place: string
}

/** What the overview says of power: enough for a line at the top of every page, and to know that the rest is out of date. */
export interface PowerSummary {
  readonly version: number
  readonly services: number
  readonly down: number
  readonly atRisk: number
  /** Services that one more failure would stop although they are drawn otherwise. */
  readonly oneLeg: number
  /** The fewest minutes left of any service; null while nothing runs out. */
  readonly minutesLeft: number | null
}
