import type { Component, Drawing, Need, Service } from '../../collector/topology/dependency.ts'

const BUILDINGS = 10
const PHONES = 4
const KINDS = ['phones', 'lift alarms', 'door phones', 'fax', 'alarm lines'] as const
const HOLD_UP_S = 3600

/** A hospital or school as it is: one head end with two of most, ten buildings with one of most, and names as people give them. */
export function campusDrawing(): Drawing {
  const components = new Map<string, Component>()
  const services = new Map<string, Service>()
  const add = (
    id: string,
    kind: string,
    label: string,
    needs: readonly Need[],
    more: Partial<Component> = {},
  ): string => {
    const owner = kind === 'switch' || kind === 'phone' ? 'ict' : 'facilities'
    const place = `Building ${id.slice(0, 3).toUpperCase()}, basement 0.${components.size + 10}, rack 2`
    components.set(id, { id, kind, label, needs, fails: true, owner, place, ...more })
    return id
  }
  for (const half of ['a', 'b']) {
    add(`mains-${half}`, 'mains', `Street main ${half.toUpperCase()} of Stedin`, [])
    add(`battery-${half}`, 'battery', `Battery room ${half}`, [], { runtimeS: 1800 })
    add(`ups-${half}`, 'ups', `UPS ${half}, equipment room`, [
      { any: [`mains-${half}`, `battery-${half}`] },
    ])
    add(`pdu-${half}`, 'pdu', `Power strip ${half}, rack 4`, [`ups-${half}`])
    add(`core-${half}`, 'switch', `Core switch ${half}`, [`pdu-${half}`])
    add(`trunk-${half}`, 'trunk', `Line of carrier ${half}`, [`core-${half}`])
  }
  add('pbx', 'pbx', 'Telephone exchange', [
    { any: ['pdu-a', 'pdu-b'] },
    { any: ['core-a', 'core-b'] },
  ])
  for (let nr = 1; nr <= BUILDINGS; nr++) {
    const b = `b${String(nr).padStart(2, '0')}`
    add(`${b}-mains`, 'mains', `Meter cupboard of building ${nr}`, [])
    add(`${b}-panel`, 'panel', `Distribution board of building ${nr}`, [`${b}-mains`])
    add(`${b}-battery`, 'battery', `Battery of building ${nr}`, [], { runtimeS: 900 })
    add(`${b}-ups`, 'ups', `UPS of building ${nr}`, [{ any: [`${b}-panel`, `${b}-battery`] }])
    add(`${b}-pdu`, 'pdu', `Power strip of building ${nr}`, [`${b}-ups`])
    for (const floor of [0, 1, 2, 3])
      add(`${b}-sw-${floor}`, 'switch', `Switch of building ${nr}, floor ${floor}`, [
        `${b}-pdu`,
        { any: ['core-a', 'core-b'] },
      ])
    const phones = Array.from({ length: PHONES }, (_, floor) =>
      add(`${b}-${KINDS[floor] ?? ''}`.replace(' ', '-'), 'phone', `${KINDS[floor]} of ${b}`, [
        `${b}-sw-${floor}`,
      ]),
    )
    const outside: readonly Need[] = ['pbx', { any: ['trunk-a', 'trunk-b'] }]
    const serve = (
      id: string,
      label: string,
      needs: readonly Need[],
      isEmergency = false,
    ): void => {
      services.set(`${id}-${b}`, {
        ...{ id: `${id}-${b}`, label, serves: b, owner: 'ict', needs, isEmergency },
        holdUpS: HOLD_UP_S,
      })
    }
    serve('112', `Calls to 112 from building ${nr}`, [{ any: phones }, ...outside], true)
    serve('out', `Calls to outside from building ${nr}`, [{ any: phones }, ...outside])
    serve('lift', `Lift alarm of building ${nr}`, [phones[1] ?? '', ...outside], true)
    serve('door', `Door and night bell of building ${nr}`, [phones[2] ?? '', 'pbx'])
  }
  return { components, services, accepted: new Map() }
}
