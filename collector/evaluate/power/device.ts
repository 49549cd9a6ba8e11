import type { Measurement } from '../../../common/measurement.ts'
import type { Component } from '../../topology/dependency.ts'
import { UNKNOWN } from '../../topology/site.ts'
import type { RuleContext } from '../rule.ts'
import { textOf } from '../points.ts'
import { componentLabels } from './component-words.ts'

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
  /** "UPS ups-1", or "UPS ups-1 (Exchange room north)". */
  readonly name: string
  /** Whom an alert about it concerns, and where it is found. */
  readonly labels: Readonly<Record<string, string>>
}

type Asked = Pick<RuleContext, 'topology' | 'chain'>

export function deviceOf(context: Asked, point: Measurement): Device {
  const { name: measurement, tags, fields } = point
  const { agent = '', site = '', target = agent } = tags
  const component = componentOf(context, point)
  const serial = textOf(fields, 'serial')
  const word = KINDS[measurement] ?? measurement
  return {
    key: component?.id ?? `${agent}\n${measurement}\n${target}`,
    name: component === undefined ? `${word} ${target}` : nameOf(component, word),
    labels: {
      ...{ site: component?.site ?? (site === '' ? UNKNOWN : site), agent, target },
      owner: component?.owner ?? context.topology().ownerOfAgent({ agent, site }),
      ...(serial === undefined ? {} : { serial }),
      ...(component === undefined ? {} : componentLabels(component)),
    },
  }
}

/** The component a point tells about, by its watch. */
export function componentOf(
  { topology, chain }: Asked,
  point: Pick<Measurement, 'name' | 'tags'>,
): Component | undefined {
  const [id] = chain.watchedBy(point)
  return id === undefined ? undefined : topology().model?.drawing.components.get(id)
}

/** "UPS ups-1", with its label where it has one. */
export function nameOf({ id, label, kind }: Component, word = KINDS[kind] ?? kind): string {
  return `${word} ${id}${label === undefined ? '' : ` (${label})`}`
}
