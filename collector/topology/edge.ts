import type { Model } from './model.ts'

type Size = Pick<Model, 'components'>

/** Who needs what, as one number. */
export function edgeCode({ components }: Size, who: number, what: number): number {
  return who * components.length + what
}

export function ownerOf({ components }: Size, edge: number): number {
  return Math.floor(edge / components.length)
}

export function targetOf({ components }: Size, edge: number): number {
  return edge % components.length
}
