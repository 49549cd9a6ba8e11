import { Families } from './cut-sets.ts'
import type { Component, Need } from './dependency.ts'
import { everythingBelow, listed, type Explained, type Finding } from './finding.ts'
import type { Model, Tree } from './model.ts'

/** What power is handed on by, from the device up: the nearest is named first. */
const HANDED_ON = ['outlet', 'psu', 'pdu', 'ats', 'ups', 'breaker', 'panel']
/** One of these is enough; needing two of a kind is hardly meant. */
const SUPPLIES: ReadonlySet<string> = new Set(['psu', 'pdu', 'ups', 'outlet', 'ats'])
const FEEDS: ReadonlySet<string> = new Set([
  ...['mains', 'generator', 'panel', 'breaker', 'feed', 'pdu', 'outlet', 'ats'],
])
/** What does nothing without power. */
const POWERED: ReadonlySet<string> = new Set([
  ...['switch', 'poe', 'router', 'pbx', 'server', 'gateway', 'ups', 'pdu', 'psu', 'ntu'],
  ...['access-point', 'dect', 'cooling'],
])
const CORE = /core|kern|stack|backbone|spine/i

/** Needs that are hardly meant so, choices that are none, and what is not known of batteries. */
export function explainPower(explained: Explained): readonly Finding[] {
  const { model } = explained
  const families = new Families(model, 1)
  return [
    ...model.components.flatMap(({ component }) => [
      ...bothNeeded(model, component),
      ...unfed(component),
      ...noBattery(model, component),
      ...coreOnOne(model, component, families),
    ]),
    ...runtimes(model),
    ...holdUps(model),
    ...sharedChoices(explained, families),
  ]
}

/** [mains-a, ups-1-battery] is read as: both at once. */
function bothNeeded(model: Model, { id, kind, needs }: Component): readonly Finding[] {
  const named = needs.flatMap((need) => (typeof need === 'string' ? [need] : []))
  const ofKind = (wanted: (kind: string) => boolean): string[] =>
    named.filter((it) => wanted(kindOf(model, it)))
  const [battery] = ofKind((it) => it === 'battery')
  const [feed] = ofKind((it) => FEEDS.has(it))
  const pairs = [...SUPPLIES].map((supply) => ofKind((it) => it === supply))
  const pair =
    battery !== undefined && feed !== undefined
      ? [feed, battery]
      : kind === 'phone'
        ? undefined
        : pairs.find(({ length }) => length > 1)
  if (pair === undefined) return []
  return [
    {
      ...{ severity: 'warning', code: 'both-needed', path: ['components', id, 'needs'] },
      message: `it needs ${listed(pair)}, all at once: without either it stops`,
      remedy: `if one is enough, write { any: [${pair.join(', ')}] }`,
    },
  ]
}

function unfed({ id, kind, needs }: Component): readonly Finding[] {
  if (needs.length > 0 || !POWERED.has(kind)) return []
  return [
    {
      ...{ severity: 'hint', code: 'unfed', path: ['components', id] },
      message: `nothing feeds this ${kind}`,
      remedy: 'name in its needs what its plug is in: outlet, PDU, UPS or mains',
    },
  ]
}

function noBattery(model: Model, { id, kind, runtimeS }: Component): readonly Finding[] {
  const index = model.indexOf.get(id)
  if (kind !== 'ups' || runtimeS !== undefined || index === undefined) return []
  const below = everythingBelow(model, [index])
  if ([...below].some((at) => model.components[at]?.component.kind === 'battery')) return []
  return [
    {
      ...{ severity: 'hint', code: 'no-battery', path: ['components', id] },
      message: 'no battery is drawn under it: it is taken to stop with its feed',
      remedy: `is it inside? Add runtime: 30min. Else draw ${id}-battery: { kind: battery, runtime: 30min } and write needs: [{ any: [<its feed>, ${id}-battery] }]`,
    },
  ]
}

/** Everything behind the core hangs on its supply. */
function coreOnOne(
  model: Model,
  { id, kind, label = '', count = 1 }: Component,
  families: Families,
): readonly Finding[] {
  const index = model.indexOf.get(id)
  const isCore = count > 1 || CORE.test(`${id} ${label}`)
  if (index === undefined || !isCore || (kind !== 'switch' && kind !== 'router')) return []
  const shared = nearestSupply(model, singlesOf(families, model.trees.component(index)), [id])
  if (shared === undefined) return []
  return [
    {
      ...{ severity: 'hint', code: 'one-supply', path: ['components', id] },
      message: `the whole ${kind} hangs on ${shared} alone`,
      remedy:
        'plug its second supply in on the other side, or draw it if it is there: { any: [psu-a, psu-b] }',
    },
  ]
}

/** "One of the two" is no help where both hang on the same. */
function sharedChoices({ file, model }: Explained, families: Families): readonly Finding[] {
  const needy = [
    ...[...model.drawing.components.values()].map((it) => ['components', it] as const),
    ...[...model.drawing.services.values()].map((it) => ['services', it] as const),
  ]
  return needy.flatMap(([kind, { id, needs }]) =>
    choicesIn(needs).flatMap((choice): Finding[] => {
      const tree = treeOf(model, { any: choice })
      const shared = nearestSupply(model, singlesOf(families, tree), choice)
      if (shared === undefined || Object.hasOwn(file.accepted, shared)) return []
      return [
        {
          ...{ severity: 'hint', code: 'shared-choice', path: [kind, id, 'needs'] },
          message: `${listed(choice)} are a choice, but all of them hang on ${shared}`,
          remedy: `feed one of them from elsewhere, or accept ${shared}`,
        },
      ]
    }),
  )
}

/** Choices among plain components, however deep they stand. */
function choicesIn(needs: readonly Need[]): readonly (readonly string[])[] {
  return needs.flatMap((need): readonly (readonly string[])[] => {
    if (typeof need === 'string' || 'path' in need) return []
    if ('all' in need) return choicesIn(need.all)
    if ('of' in need) return choicesIn(need.of)
    const named = need.any.flatMap((one) => (typeof one === 'string' ? [one] : []))
    return named.length === need.any.length ? [named] : choicesIn(need.any)
  })
}

function runtimes(model: Model): readonly Finding[] {
  return model.components.flatMap(({ component, above }): Finding[] => {
    const { id, kind, runtimeS } = component
    if (kind !== 'battery' || runtimeS !== undefined) return []
    const carriers = above.flatMap((index) => model.components[index]?.component ?? [])
    if (carriers.some((it) => it.runtimeS !== undefined)) return []
    const isLive = carriers.some(({ watch }) => watch?.measurement === 'ups')
    return [
      {
        severity: isLive ? 'hint' : 'warning',
        code: 'no-runtime',
        path: ['components', id],
        message: isLive
          ? 'how long it was designed to last is not said: only its UPS knows, and only while it is heard'
          : 'how long it lasts is not said: nothing can be told of the minutes left',
        remedy: 'add runtime: 30min, as designed for this load',
      },
    ]
  })
}

function holdUps(model: Model): readonly Finding[] {
  return model.services.flatMap(({ id, below }): Finding[] => {
    const { holdUpS } = model.drawing.services.get(id) ?? {}
    if (holdUpS === undefined) return []
    const chain = [...everythingBelow(model, below)].flatMap(
      (index) => model.components[index]?.component ?? [],
    )
    if (chain.some(({ runtimeS, fuelS }) => runtimeS !== undefined || fuelS !== undefined))
      return []
    return [
      {
        ...{ severity: 'hint', code: 'hold-up-unknown', path: ['services', id, 'hold-up'] },
        message: 'nothing under it says how long it lasts: whether it holds up cannot be judged',
        remedy: 'add runtime to its batteries, fuel to its generator',
      },
    ]
  })
}

function singlesOf(families: Families, tree: Tree): readonly string[] {
  return families.cutSets(tree).sets.flatMap((set) => (set.length === 1 ? set : []))
}

/** Of what stops it, that which hands power on and is nearest to it. */
function nearestSupply(
  model: Model,
  singles: readonly string[],
  except: readonly string[],
): string | undefined {
  return singles
    .filter((id) => !except.includes(id))
    .map((id) => ({ id, rank: HANDED_ON.indexOf(kindOf(model, id)) }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => a.rank - b.rank)[0]?.id
}

function treeOf({ trees, indexOf }: Model, { any }: { readonly any: readonly string[] }): Tree {
  const indices = any.flatMap((id) => indexOf.get(id) ?? [])
  return trees.any(indices.map((index) => trees.component(index)))
}

function kindOf(model: Model, id: string): string {
  return model.drawing.components.get(id)?.kind ?? ''
}
