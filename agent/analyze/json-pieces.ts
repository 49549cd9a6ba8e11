export const INDENT = '  '
/** An array of arrays in objects: what is deeper is small. */
const DEPTH = 3
/** Handed on together. */
const PIECE_LENGTH = 1 << 16

/**
 * What JSON.stringify(value, undefined, 2) gives, in pieces: a capture of a long day makes more text than fits one string. Anything
 * iterable becomes an array, an element at a time. `indent` stands in front of every line but the first.
 */
export function* jsonPieces(value: unknown, indent = ''): Generator<string> {
  let piece = ''
  for (const part of parts(value, indent, DEPTH)) {
    piece += part
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  yield piece
}

function* parts(value: unknown, indent: string, depth: number): Generator<string> {
  if (typeof value !== 'object' || value === null || depth === 0) {
    yield JSON.stringify(value, undefined, INDENT).replaceAll('\n', `\n${indent}`)
    return
  }
  const inner = indent + INDENT
  let count = 0
  if (isIterable(value)) {
    yield '['
    for (const one of value) {
      yield `${count++ === 0 ? '' : ','}\n${inner}`
      yield* parts(one, inner, depth - 1)
    }
    yield count === 0 ? ']' : `\n${indent}]`
    return
  }
  yield '{'
  for (const [key, one] of Object.entries(value)) {
    if (one === undefined) continue
    yield `${count++ === 0 ? '' : ','}\n${inner}${JSON.stringify(key)}: `
    yield* parts(one, inner, depth - 1)
  }
  yield count === 0 ? '}' : `\n${indent}}`
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value
}
