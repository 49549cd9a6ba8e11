import type { Component } from './dependency.ts'
import type { COMMONLY_MISSING } from './drawing-schema.ts'
import { everythingBelow, listed, type Explained, type Finding } from './finding.ts'

/** What nobody draws until a call fails because of it. */

type Missing = (typeof COMMONLY_MISSING)[number]

const LINES: ReadonlySet<string> = new Set([
  ...['trunk', 'wan', 'internet', 'fibre', 'fiber', 'leased-line'],
])
const NTU = /\bntu\b|\bont\b|modem|\bcpe\b/i
const ACCESS_POINT = /access.?point|\bap\b|wi-?fi|wlan/i
const DECT = /dect/i
const COOLING = /cool|airco|\bcrac\b|hvac|koeling/i
const COLLECTOR = /kiestoon|collector/i
const WARM: ReadonlySet<string> = new Set(['pbx', 'server', 'ups'])
const OF_PHONES: ReadonlySet<string> = new Set(['phone', 'switch', 'poe'])

export function missingThings(explained: Explained): readonly Finding[] {
  const { file, model } = explained
  if (model.services.length === 0) return []
  const all = [...model.drawing.components.values()]
  const isDrawn = (pattern: RegExp): boolean => all.some((it) => isNamed(it, pattern))
  const has = (kinds: ReadonlySet<string>): boolean => all.some(({ kind }) => kinds.has(kind))
  const bare = linesWithoutNtu(explained)
  const candidates: readonly (readonly [Missing, boolean, string, string])[] = [
    [
      'ntu',
      bare.length > 0,
      `the carrier's box in your building (NTU, modem, ONT) is not drawn under ${listed(bare)}`,
      'it has a plug: draw it as kind: ntu with what feeds it, and let the line need it',
    ],
    [
      'access-point',
      has(OF_PHONES) && !isDrawn(ACCESS_POINT),
      'no access point is drawn',
      'phones on Wi-Fi need one, and the switch that feeds it: draw them as kind: access-point',
    ],
    [
      'dect',
      has(OF_PHONES) && !isDrawn(DECT),
      'no DECT base is drawn',
      'handsets need one, and the switch that feeds it: draw them as kind: dect',
    ],
    [
      'cooling',
      has(WARM) && !isDrawn(COOLING),
      'no cooling is drawn',
      'a room without it is too hot within the hour: draw it as kind: cooling with what feeds it',
    ],
    [
      'collector',
      !isDrawn(COLLECTOR),
      'the collector itself is not drawn: without it, or the way out of its alerts, nobody is told',
      'draw its machine with what feeds it, and a service such as alerts that needs it',
    ],
  ]
  return candidates
    .filter(([what, isMissing]) => isMissing && !file.absent.includes(what))
    .map(([what, , message, remedy]) => ({
      severity: 'hint',
      code: `no-${what}`,
      path: ['components'],
      message,
      remedy: `${remedy}; none here? absent: [${what}]`,
    }))
}

function linesWithoutNtu({ model }: Explained): readonly string[] {
  return model.components.flatMap(({ component: { id, kind } }, index) => {
    if (!LINES.has(kind)) return []
    const below = [...everythingBelow(model, [index])]
    const isFed = below.some((at) => {
      const component = model.components[at]?.component
      return component !== undefined && isNamed(component, NTU)
    })
    return isFed ? [] : [id]
  })
}

function isNamed({ id, kind, label = '' }: Component, pattern: RegExp): boolean {
  return pattern.test(kind) || pattern.test(id) || pattern.test(label)
}
