import type { Component, Drawing, Need, Service } from '../../collector/topology/dependency.ts'

const PHONES = 56
const OUTLETS = 8
const COMPONENTS_OF_A_SITE = 98
/** Of the phones of a site, so many must work for its people to call. */
const PHONES_NEEDED = 0.8

/**
 * A company of many sites, each with two feeds, two UPSes, PDUs, two PoE switches, a local gateway and 56 phones, around a centre with two
 * of everything: about 98 components and three services a site.
 */
export function largeDrawing(components: number, { phones: phonesOfSite = PHONES } = {}): Drawing {
  const ofSite = COMPONENTS_OF_A_SITE - PHONES + phonesOfSite
  const sites = Math.max(1, Math.round(components / ofSite))
  const all = new Map<string, Component>()
  const services = new Map<string, Service>()
  const add = (
    id: string,
    kind: string,
    needs: readonly Need[] = [],
    more: object = {},
  ): string => {
    all.set(id, { id, kind, needs, fails: true, ...more })
    return id
  }
  for (const half of ['a', 'b']) {
    add(`dc-mains-${half}`, 'mains')
    add(`dc-battery-${half}`, 'battery', [], { runtimeS: 1800 })
    add('dc-generator', 'generator', [], { startS: 30, fuelS: 28_800 })
    add(`dc-ups-${half}`, 'ups', [
      { any: [`dc-mains-${half}`, 'dc-generator', `dc-battery-${half}`] },
    ])
    add(`dc-pdu-${half}`, 'pdu', [`dc-ups-${half}`])
    add(`dc-psu-${half}`, 'psu', [`dc-pdu-${half}`])
    add(`dc-core-${half}`, 'switch', [`dc-pdu-${half}`])
    add(`dc-trunk-${half}`, 'trunk', [`dc-core-${half}`])
  }
  const core: Need = { any: ['dc-core-a', 'dc-core-b'] }
  add('dc-pbx', 'pbx', [{ any: ['dc-psu-a', 'dc-psu-b'] }, core])
  for (let site = 0; site < sites; site++) {
    const s = `s${String(site).padStart(3, '0')}`
    add(`${s}-room`, 'room')
    for (const half of ['a', 'b']) {
      add(`${s}-mains-${half}`, 'mains', [], watch('power_supply', `${s}-mains-${half}`))
      add(`${s}-panel-${half}`, 'panel', [`${s}-mains-${half}`])
      add(`${s}-breaker-${half}`, 'breaker', [`${s}-panel-${half}`])
      add(`${s}-battery-${half}`, 'battery', [], { runtimeS: 900 })
      add(
        `${s}-ups-${half}`,
        'ups',
        [`${s}-room`, { any: [`${s}-breaker-${half}`, `${s}-battery-${half}`] }],
        watch('ups', `${s}-ups-${half}`),
      )
      add(`${s}-pdu-${half}`, 'pdu', [`${s}-ups-${half}`])
      for (let nr = 1; nr <= OUTLETS; nr++)
        add(`${s}-outlet-${half}${nr}`, 'outlet', [`${s}-pdu-${half}`])
      add(`${s}-psu-${half}1`, 'psu', [`${s}-outlet-${half}1`])
      add(`${s}-psu-${half}2`, 'psu', [`${s}-outlet-${half}2`])
      add(`${s}-wan-${half}`, 'wan')
      add(`${s}-router-${half}`, 'router', [`${s}-pdu-${half}`, `${s}-wan-${half}`])
    }
    for (const nr of ['1', '2'])
      add(
        `${s}-sw-${nr}`,
        'switch',
        [{ any: [`${s}-psu-a${nr}`, `${s}-psu-b${nr}`] }],
        watch('ping', `${s}-sw-${nr}`),
      )
    const way: Need = { any: [`${s}-router-a`, `${s}-router-b`] }
    add(`${s}-gateway`, 'gateway', [`${s}-pdu-a`])
    add(`${s}-line`, 'pstn-line')
    const phones = Array.from({ length: phonesOfSite }, (_, nr) =>
      add(`${s}-phone-${String(nr).padStart(2, '0')}`, 'phone', [`${s}-sw-${(nr % 2) + 1}`]),
    )
    const enough: Need = { atLeast: Math.ceil(phonesOfSite * PHONES_NEEDED), of: phones }
    const outside: Need = { all: [way, 'dc-pbx', { any: ['dc-trunk-a', 'dc-trunk-b'] }] }
    const serve = (name: string, needs: readonly Need[], more: Partial<Service> = {}): void => {
      const id = `${name}-${s}`
      services.set(id, { id, needs, serves: s, isEmergency: false, ...more })
    }
    serve('internal', [enough, way, 'dc-pbx'])
    serve('pstn', [enough, outside])
    serve(
      'emergency-112',
      [{ any: phones.slice(0, 4) }, { any: [outside, { all: [`${s}-gateway`, `${s}-line`] }] }],
      { isEmergency: true, holdUpS: 3600 },
    )
  }
  return { components: all, services, accepted: new Map() }
}

function watch(measurement: string, target: string): object {
  return { watch: { measurement, target } }
}
