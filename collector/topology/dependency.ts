import type { MeasurementName } from '../../common/measurement.ts'

/**
 * What calling depends on, as drawn in the site file: components that can fail, services people use, and what each needs. Facts only;
 * what follows from them is worked out by the other files of this folder.
 */

/** What something needs to work: the id of a component, or a choice among several. A list of needs is joined by AND. */
export type Need =
  | string
  | { readonly any: readonly Need[] }
  | { readonly all: readonly Need[] }
  | { readonly atLeast: number; readonly of: readonly Need[] }
  /** Some way over the links that are drawn. */
  | { readonly path: { readonly from: string; readonly to: string } }

/** Which measurement tells whether something works. */
export interface Watch {
  readonly measurement: MeasurementName
  readonly target: string
  /** Only as this agent measures it; else as any does. */
  readonly agent?: string
}

/** One thing that can fail. It works when it did not fail itself and all it needs works. */
export interface Component {
  readonly id: string
  /** mains, generator, ups, battery, ats, pdu, outlet, psu, switch, router, pbx, server, trunk, phone, link, group ...; free text, some have a meaning. */
  readonly kind: string
  readonly needs: readonly Need[]
  /** False: it has no failure of its own. */
  readonly fails: boolean
  readonly watch?: Watch
  readonly owner?: string
  readonly site?: string
  readonly label?: string
  /** Building, room, rack. */
  readonly place?: string
  readonly circuit?: string
  readonly serial?: string
  readonly contract?: string
  /** As 2024-05-31. */
  readonly batteryInstalled?: string
  /** Of a battery, or of a UPS with its battery: how long it was designed to carry its load. */
  readonly runtimeS?: number
  /** Of a generator: from the loss of the mains to its power. */
  readonly startS?: number
  /** Of a generator: how long its fuel lasts. */
  readonly fuelS?: number
  /** Of a device: from power to service. */
  readonly bootS?: number
  readonly capacityW?: number
  readonly watts?: number
  /** How many alike it stands for. */
  readonly count?: number
  /** Of a link: the two it joins. */
  readonly links?: readonly [string, string]
  readonly poe?: PowerOverEthernet
  /** Probability that it is failed at a moment, where somebody knows it. */
  readonly failureProbability?: number
}

export interface PowerOverEthernet {
  /** Of a switch: what it can give. */
  readonly budgetW?: number
  /** Of what it feeds: the port it hangs on, and how important that port is to the switch. */
  readonly port?: number
  readonly priority?: 'critical' | 'high' | 'low'
}

/** Something people do over the telephone. It has no failure of its own. */
export interface Service {
  readonly id: string
  readonly needs: readonly Need[]
  readonly label?: string
  /** The site whose people use it. */
  readonly serves?: string
  readonly owner?: string
  /** Share of time it is promised to work, 0..1. */
  readonly promiseRatio?: number
  /** How long it should work without mains. */
  readonly holdUpS?: number
  /** Calls to the emergency services: told of first, never muted. */
  readonly isEmergency: boolean
  readonly watch?: Watch
}

/** Somebody answers for leaving a single point of failure as it is. */
export interface Acceptance {
  readonly by: string
  readonly reason: string
  /** The day it is to be looked at again, as 2027-05-31. */
  readonly review: string
}

export interface Drawing {
  readonly components: ReadonlyMap<string, Component>
  readonly services: ReadonlyMap<string, Service>
  /** By the id of the component. */
  readonly accepted: ReadonlyMap<string, Acceptance>
}

/** Degraded: it works, but something behind it does not: a UPS on battery. */
export type ComponentState = 'up' | 'degraded' | 'down' | 'unknown'

/** What the watch of a component says now. A component without a watch, or never heard of, has none. */
export interface Observation {
  readonly state: ComponentState
  /** In words: "on battery, 62 %, 11 min left". */
  readonly reason: string
  readonly sinceUs: number
  /** Event time of the newest reading. */
  readonly atUs: number
  /** A UPS on battery: its own input is lost, which does not say that the mains failed. */
  readonly inputLost?: boolean
  /** Of its needs, those that it gets nothing from, whether they failed or what lies between: ids. */
  readonly lostNeeds?: readonly string[]
  /** A UPS whose battery does not protect: bypass, no battery, low battery. */
  readonly isUnprotected?: boolean
  readonly runtimeLeftS?: number
  readonly chargeRatio?: number
  /** A UPS on battery that is about to give up, by its own word or limits. */
  readonly isLow?: boolean
}
