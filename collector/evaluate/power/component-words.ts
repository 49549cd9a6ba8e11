import type { Component } from '../../topology/dependency.ts'

/** A component as somebody finds it who has never been there: "ups-1 (Exchange room north, B1/2.14/rack 3, circuit L3-7)". */
export function componentWords(component: Component | undefined, id: string): string {
  const { label, place, circuit } = component ?? {}
  const details = [label, place, circuit === undefined ? undefined : `circuit ${circuit}`]
  const known = details.filter((detail) => detail !== undefined)
  return known.length === 0 ? id : `${id} (${known.join(', ')})`
}

/** What a message says of it besides: serial number, contract, age of its battery. */
export function componentLabels(
  component: Component | undefined,
): Readonly<Record<string, string>> {
  const { id, place, circuit, serial, contract, label, batteryInstalled } = component ?? {}
  const facts = {
    component: id,
    label,
    place,
    circuit,
    serial,
    contract,
    battery_installed: batteryInstalled,
  }
  return Object.fromEntries(
    Object.entries(facts).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}
