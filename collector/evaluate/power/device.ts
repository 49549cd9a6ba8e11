import type { Measurement } from '../../../common/measurement.ts'
import type { Component } from '../../topology/dependency.ts'
import { UNKNOWN, type Topology } from '../../topology/site.ts'
import { textOf } from '../sip/points.ts'
import { watchIndexOf } from './watch-index.ts'

/** What people call a device, and whose it is: from the site file where it is drawn there, else from the reading. */

const KINDS: Readonly<Record<string, string>> = {
  ups: 'UPS',
  power_supply: 'power supply',
  transfer_switch: 'transfer switch',
  pdu: 'PDU',
  pdu_outlet: 'outlet',
  poe_port: 'PoE port',
  poe_budget: 'PoE supply',
}

export interface Device {
  /** The same for every agent that reads it, where it is drawn. */
  readonly key: string
  /** "UPS ups-1", or "Basement UPS (B1/2.14/rack 3)". */
  readonly name: string
  /** Whom an alert about it concerns, and where it is found. */
  readonly labels: Readonly<Record<string, string>>
}

export function deviceOf(topology: Topology, point: Measurement): Device {
  const { name: measurement, tags, fields } = point
  const { agent = '', site = '', target = agent } = tags
  const component = componentOf(topology, point)
  const serial = textOf(fields, 'serial')
  const word = KINDS[measurement] ?? measurement
  return {
    key: component === undefined ? `${agent}\n${measurement}\n${target}` : component.id,
    name: component === undefined ? `${word} ${target}` : nameOf(component, word),
    labels: {
      ...{ site: site === '' ? UNKNOWN : site, agent, target },
      owner: component?.owner ?? topology.ownerOfAgent({ agent, site }),
      ...(serial === undefined ? {} : { serial }),
      ...(component === undefined ? {} : labelsOf(component)),
    },
  }
}

/** The component a point tells about, by its watch. */
export function componentOf(topology: Topology, point: Measurement): Component | undefined {
  if (topology.model === undefined) return undefined
  for (const { component } of watchIndexOf(topology.model).find(point))
    if (component !== undefined) return component
  return undefined
}

/** "Basement UPS", or "UPS ups-1". */
export function nameOf({ id, label, kind }: Component, word = kind): string {
  return label ?? (id.toLowerCase().includes(word.toLowerCase()) ? id : `${word} ${id}`)
}

/** All that helps to find it and whom to call. */
export function labelsOf(component: Component): Readonly<Record<string, string>> {
  const { id, place, circuit, serial, contract, batteryInstalled, owner, site } = component
  return {
    component: id,
    ...(site === undefined ? {} : { site }),
    ...(owner === undefined ? {} : { owner }),
    ...(place === undefined ? {} : { place }),
    ...(circuit === undefined ? {} : { circuit }),
    ...(serial === undefined ? {} : { serial }),
    ...(contract === undefined ? {} : { contract }),
    ...(batteryInstalled === undefined ? {} : { battery_installed: batteryInstalled }),
  }
}
