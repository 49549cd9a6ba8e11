import type { Model, ModelService } from './model.ts'
import type { Tree } from './tree.ts'

/** Where nobody gave a probability, one has to stand there all the same: it does not change the cut sets. */
const ANY_PROBABILITY = 0.01
const NEVER = '<constant value="false"/>'
const ALWAYS = '<constant value="true"/>'

/**
 * The fault tree of one service in Open-PSA MEF, for checking by other programs: `scram --zbdd -l 3 service.xml` must find the same minimal
 * cut sets. The tree says when something fails: what is needed all together fails by any part of it, what is needed by choice only all together.
 */
export function toMef(model: Model, service: ModelService): string {
  return new MefWriter(model).write(service)
}

class MefWriter {
  readonly #model: Model
  readonly #names = new Map<string, string>()
  readonly #taken = new Set<string>()

  constructor(model: Model) {
    this.#model = model
  }

  write({ id, needs, below }: ModelService): string {
    const reached = new Set(below)
    for (const index of reached)
      for (const next of this.#model.components[index]?.below ?? []) reached.add(next)
    const order = [...reached].sort((a, b) => a - b)
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<opsa-mef>',
      `<define-fault-tree name="${this.#nameOf('service', id)}">`,
      `<define-gate name="${this.#nameOf('top', 'top')}">${this.#fails(needs)}</define-gate>`,
      ...order.map((index) => this.#gate(index)),
      '</define-fault-tree>',
      '<model-data>',
      ...order.flatMap((index) => this.#event(index)),
      '</model-data>',
      '</opsa-mef>',
      '',
    ].join('\n')
  }

  #gate(index: number): string {
    const { id, fails } = this.#component(index)
    const needs = this.#model.components[index]?.needs
    const own = fails ? `<basic-event name="${this.#nameOf('event', id)}"/>` : NEVER
    const formula = joined('or', [own, needs === undefined ? NEVER : this.#fails(needs)])
    return `<define-gate name="${this.#nameOf('gate', id)}">${formula}</define-gate>`
  }

  #event(index: number): readonly string[] {
    const { id, fails, failureProbability = ANY_PROBABILITY } = this.#component(index)
    if (!fails) return []
    const name = this.#nameOf('event', id)
    return [
      `<define-basic-event name="${name}"><label>${id}</label><float value="${failureProbability}"/></define-basic-event>`,
    ]
  }

  /** The formula of when a tree of needs fails. */
  #fails(tree: Tree): string {
    if (tree.kind === 'component')
      return `<gate name="${this.#nameOf('gate', this.#component(tree.index).id)}"/>`
    const children = tree.children.map((child) => this.#fails(child))
    if (tree.kind === 'all') return joined('or', children)
    if (tree.kind === 'any') return joined('and', children)
    // Never a threshold of one or of all, which is none to MEF: the model makes all and any of these.
    return `<atleast min="${children.length - tree.k + 1}">${children.join('')}</atleast>`
  }

  #component(index: number): {
    readonly id: string
    readonly fails: boolean
    readonly failureProbability?: number
  } {
    return this.#model.components[index]?.component ?? { id: '', fails: false }
  }

  /** Letters, digits, underscores and single dashes, beginning with a letter; gates and events share one space of names. */
  #nameOf(kind: 'service' | 'top' | 'gate' | 'event', id: string): string {
    const key = `${kind} ${id}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const plain = id.replaceAll(/[^A-Za-z0-9_-]|-(?=-)|-$/g, '_')
    const word = kind === 'gate' ? `F-${plain}` : plain
    const base = /^[A-Za-z]/.test(word) ? word : `x${word}`
    let name = base
    for (let next = 2; this.#taken.has(name); next++) name = `${base}_${next}`
    this.#taken.add(name)
    this.#names.set(key, name)
    return name
  }
}

function joined(word: 'and' | 'or', formulas: readonly string[]): string {
  const [decides, neutral] = word === 'or' ? [ALWAYS, NEVER] : [NEVER, ALWAYS]
  if (formulas.includes(decides)) return decides
  const present = formulas.filter((formula) => formula !== neutral)
  if (present.length === 0) return neutral
  return present.length === 1 ? (present[0] ?? '') : `<${word}>${present.join('')}</${word}>`
}
