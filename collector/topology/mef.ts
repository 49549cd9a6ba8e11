import type { Model, ModelService } from './model.ts'
import type { Tree } from './tree.ts'

/**
 * The fault tree of one service in Open-PSA MEF, for checking by other programs: `scram --zbdd -l 3 service.xml` must find the same minimal
 * cut sets. The tree says when something fails: what is needed all together fails by any part of it, what is needed by choice only all together.
 */
export function toMef(model: Model, { id, needs, below }: ModelService): string {
  const reached = new Set<number>(below)
  for (const index of reached)
    for (const next of model.components[index]?.below ?? []) reached.add(next)
  const order = [...reached].sort((a, b) => a - b)
  const events = order
    .filter((index) => model.components[index]?.component.fails === true)
    .map((index) => eventOf(model, index))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<opsa-mef>',
    `<define-fault-tree name="${nameOf(id)}">`,
    `<define-gate name="top">${failsOf(model, needs)}</define-gate>`,
    ...order.map((index) => gateOf(model, index)),
    '</define-fault-tree>',
    '<model-data>',
    ...events,
    '</model-data>',
    '</opsa-mef>',
    '',
  ].join('\n')
}

/** Where nobody gave a probability, one has to stand there all the same: it does not change the cut sets. */
const ANY_PROBABILITY = 0.01

function eventOf(model: Model, index: number): string {
  const { id, failureProbability = ANY_PROBABILITY } = componentOf(model, index)
  return `<define-basic-event name="${nameOf(id)}"><float value="${failureProbability}"/></define-basic-event>`
}

function gateOf(model: Model, index: number): string {
  const { id, fails } = componentOf(model, index)
  const own = fails ? `<basic-event name="${nameOf(id)}"/>` : ''
  const needs = model.components[index]?.needs
  const fed = needs === undefined ? '' : failsOf(model, needs)
  return `<define-gate name="F-${nameOf(id)}">${joined('or', [own, fed])}</define-gate>`
}

/** The formula of when a tree of needs fails. */
function failsOf(model: Model, tree: Tree): string {
  if (tree.kind === 'component') {
    return `<gate name="F-${nameOf(componentOf(model, tree.index).id)}"/>`
  }
  const children = tree.children.map((child) => failsOf(model, child))
  switch (tree.kind) {
    case 'all':
      return joined('or', children)
    case 'any':
      return joined('and', children)
    case 'atLeast': {
      const min = children.length - tree.k + 1
      // A threshold of one or of all is none to MEF.
      if (min <= 1) return joined('or', children)
      if (min === children.length) return joined('and', children)
      return `<atleast min="${min}">${children.join('')}</atleast>`
    }
  }
}

function joined(word: 'and' | 'or', formulas: readonly string[]): string {
  const present = formulas.filter((formula) => formula !== '')
  if (present.length === 0) return word === 'or' ? NEVER : ''
  return present.length === 1 ? (present[0] ?? '') : `<${word}>${present.join('')}</${word}>`
}

const NEVER = '<constant value="false"/>'

function componentOf(model: Model, index: number) {
  return (
    model.components[index]?.component ?? { id: '', fails: false, failureProbability: undefined }
  )
}

/** MEF names are letters, digits, dash and underscore, and do not begin with a digit or have two dashes in a row. */
function nameOf(id: string): string {
  const name = id.replaceAll('.', '_dot_').replaceAll(/-(?=-)|-$/g, '_')
  return /^[A-Za-z]/.test(name) ? name : `x${name}`
}
