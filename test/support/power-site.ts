import { ChainMap } from '../../collector/power/chain-map.ts'
import { PowerDesk } from '../../collector/power/power-desk.ts'
import { PowerHistory } from '../../collector/power/power-history.ts'
import { buildPowerView, type PowerSources } from '../../collector/power-view-builder.ts'
import type { ChainNow } from '../../collector/evaluate/power/chain.ts'
import type { Overview } from '../../collector/http/overview.ts'
import type { PowerView } from '../../collector/http/power-view.ts'
import { readConfig } from '../../common/config.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import type { Observation } from '../../collector/topology/dependency.ts'
import { forecast } from '../../collector/topology/forecast.ts'
import { LiveModel, type Observations } from '../../collector/topology/live.ts'
import type { Model } from '../../collector/topology/model.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'

const US_PER_MS = 1000
const SITE_FILE_MS = Date.UTC(2026, 10, 2, 9, 30)

/** A head office as somebody of its facilities would draw it. */
export const OFFICE = `
parties:
  facilities: { name: Facilities }
  ict: { name: Network team }
components:
  mains-a: { kind: mains, owner: facilities, label: Street main A, place: B1/0.01, circuit: M-A }
  mains-b: { kind: mains, owner: facilities, label: Street main B, place: B1/0.02, circuit: M-B }
  battery-1: { kind: battery, owner: facilities, place: B1/2.14/rack 3, battery-installed: 2023-03-01, runtime: 40min }
  battery-2: { kind: battery, owner: facilities, place: B1/2.14/rack 4, battery-installed: 2025-09-12, runtime: 90min }
  ups-1: { kind: ups, owner: facilities, label: UPS exchange room, place: B1/2.14/rack 3, circuit: L3-7, serial: AS1834223455, contract: 24/7 by Uninterrupted BV,
    needs: [{ any: [mains-a, battery-1] }], watch: { measurement: ups, target: ups-1 } }
  ups-2: { kind: ups, owner: facilities, place: B1/2.14/rack 4, circuit: L1-2,
    needs: [{ any: [mains-b, battery-2] }], watch: { measurement: ups, target: ups-2 } }
  pdu-a: { kind: pdu, owner: facilities, place: B1/2.14/rack 3, needs: [ups-1] }
  pdu-b: { kind: pdu, owner: facilities, place: B1/2.14/rack 4, needs: [ups-2] }
  sw-core: { kind: switch, owner: ict, place: B1/2.14/rack 3, needs: [{ any: [pdu-a, pdu-b] }], watch: { measurement: ping, target: sw-core } }
  sw-1: { kind: switch, owner: ict, label: Floor 1, place: B1/1.02, needs: [pdu-a, sw-core], watch: { measurement: ping, target: sw-1 } }
  sw-2: { kind: switch, owner: ict, label: Floor 2, place: B1/2.02, needs: [pdu-b, sw-core], watch: { measurement: ping, target: sw-2 } }
  pbx: { kind: pbx, owner: ict, label: Telephone exchange, place: B1/2.14/rack 4, needs: [{ any: [pdu-a, pdu-b] }, sw-core], watch: { measurement: sip_options, target: pbx } }
  trunk-a: { kind: trunk, owner: ict, needs: [sw-core] }
  trunk-b: { kind: trunk, owner: ict, needs: [sw-core] }
  phones-1: { kind: phone, count: 24, label: Phones of floor 1, needs: [sw-1] }
  desk-1: { kind: phone, needs: [sw-2] }
  desk-2: { kind: phone, needs: [sw-2] }
  desk-3: { kind: phone, needs: [sw-2] }
services:
  emergency-112: { label: Calls to 112, serves: hq, owner: facilities, hold-up: 60min,
    needs: [{ any: [phones-1, desk-1, desk-2, desk-3] }, pbx, { any: [trunk-a, trunk-b] }] }
  call-out: { label: Calls to outside, serves: hq, owner: ict, promise: 99.9%,
    needs: [{ any: [phones-1, desk-1, desk-2, desk-3] }, pbx, { any: [trunk-a, trunk-b] }] }
  reception: { label: Reception, serves: hq, owner: ict, hold-up: 30min, needs: [phones-1, pbx] }
accepted:
  pbx: { by: R. de Vries, reason: a second exchange comes with the new building, review: 2027-05-31 }
`

export function officeModel(text = OFFICE): Model {
  const { model } = new Site(readConfig(siteFile, text, 'site.yaml'))
  if (model === undefined) throw new Error('nothing is drawn')
  return model
}

/** As the rules know it under what is observed. */
function chainNow(model: Model, observations: Observations, atMs: number): ChainNow {
  const live = new LiveModel(model)
  const atUs = atMs * US_PER_MS
  const overlay = live.overlay(observations)
  const later = forecast(live, observations, overlay, atUs)
  return { live, observations, serviceWatches: new Map(), overlay, forecast: later, atUs }
}

/** All that is watched is well. */
export function calm(atMs: number): Map<string, Observation> {
  const seen = (reason: string, minutesAgo: number): Observation => ({
    state: 'up',
    reason,
    sinceUs: (atMs - minutesAgo * 60_000) * US_PER_MS,
    atUs: (atMs - 4000) * US_PER_MS,
  })
  return new Map([
    ['ups-1', seen('on mains', 9000)],
    ['ups-2', seen('on mains', 9000)],
    ...['sw-core', 'sw-1', 'sw-2', 'pbx'].map((id) => [id, seen('answers', 9000)] as const),
  ])
}

/** UPS 1 on its battery for six minutes, the switch of floor 2 silent for five, nothing heard of UPS 2. */
export function outage(atMs: number): Map<string, Observation> {
  const us = (minutesAgo: number): number => (atMs - minutesAgo * 60_000) * US_PER_MS
  return new Map([
    ...calm(atMs),
    [
      'ups-1',
      {
        state: 'degraded',
        reason: 'on battery, 62 % charge, 11 min left',
        inputLost: true,
        runtimeLeftS: 660,
        chargeRatio: 0.62,
        sinceUs: us(6),
        atUs: us(0),
      },
    ],
    [
      'sw-2',
      { state: 'down', reason: 'no answer to 5 echo requests', sinceUs: us(5), atUs: us(0) },
    ],
    ['ups-2', { state: 'unknown', reason: 'no news for 3 min', sinceUs: us(60), atUs: us(3) }],
  ])
}

/** The view of a model under what is observed; without a model, of a site where nothing is drawn. */
export function powerView(
  atMs: number,
  model?: Model,
  observations: Observations = new Map(),
  different: Partial<PowerSources> & { readonly of?: string } = {},
): PowerView {
  const { of, ...sources } = different
  const chain =
    model === undefined
      ? undefined
      : { map: new ChainMap(model), now: chainNow(model, observations, atMs) }
  const history = new PowerHistory()
  return buildPowerView(
    {
      nowMs: atMs,
      version: 1,
      chain,
      siteFileMs: SITE_FILE_MS,
      horizons: [],
      history: (nameOf) => history.view(atMs, nameOf),
      nameOf: nameOfParty,
      contactOf: contactOfParty,
      ...sources,
    },
    of,
  )
}

/** Who answers for a site under what is observed, as the collector does. */
export function powerDesk(
  atMs: number,
  model?: Model,
  observations: Observations = new Map(),
  { history = new PowerHistory(), version = 1 } = {},
): PowerDesk {
  const now = model === undefined ? undefined : chainNow(model, observations, atMs)
  return new PowerDesk({
    chain: () => ({ now, version }),
    history: (nowMs, nameOf) => history.view(nowMs, nameOf),
    siteFileMs: () => SITE_FILE_MS,
    nameOf: nameOfParty,
    contactOf: contactOfParty,
    horizonsOf: () => [
      {
        ...{ kind: 'design-gap', id: 'emergency-112', label: 'Calls to 112' },
        text: '40 min without mains, 60 min are needed',
      },
    ],
    remarks: () => [],
    nowMs: () => atMs,
  })
}

/** What the overview says beside it. */
export function withPower(overview: Overview, desk: PowerDesk): Overview {
  return { ...overview, power: desk.summary() }
}

/** UPS 1 went on battery 31 minutes ago for three, and six minutes ago again; calls lost packets with the switch of floor 2. */
export function stormyHistory(atMs: number): PowerHistory {
  const history = new PowerHistory()
  const us = (minutesAgo: number): number => (atMs - minutesAgo * 60_000) * US_PER_MS
  const point = (target: string, minutesAgo: number, state: string, reason: string): Measurement =>
    measurement('component', us(minutesAgo), { target, kind: 'ups' }, { state, reason })
  history.add([
    point('ups-1', 900, 'up', 'on mains'),
    point('ups-1', 31, 'degraded', 'on battery, 98 % charge, 39 min left'),
    point('ups-1', 28, 'up', 'on mains'),
    point('ups-1', 6, 'degraded', 'on battery, 96 % charge, 36 min left'),
    point('sw-2', 5, 'down', 'no answer to 5 echo requests'),
    point('ups-2', 3, 'unknown', 'no news for 20 s'),
    measurement(
      'service',
      us(6),
      { target: 'emergency-112', source: 'chain' },
      { state: 'at-risk', up: true },
    ),
    ...Array.from({ length: 1400 }, (_, minute) =>
      measurement(
        'path',
        us(minute),
        { from: 'hq', to: 'carrier-a', at: 'hq-edge', source: 'stream' },
        { loss_ratio: minute < 5 ? 0.07 + 0.004 * minute : 0.002 + 0.001 * (minute % 3) },
      ),
    ),
  ])
  return history
}

function contactOfParty(party: string): string {
  return party === 'facilities' ? 'extension 4100, day and night' : ''
}

function nameOfParty(party: string): string {
  return { facilities: 'Facilities', ict: 'Network team' }[party] ?? party
}
