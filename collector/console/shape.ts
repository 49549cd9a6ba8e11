/** What a value in an answer of the collector must be; a question mark allows null. */
export type Kind = 'string' | 'number' | 'boolean' | 'number?' | 'string?'
export type Shape = Readonly<Record<string, Kind>>
export type Fields = Readonly<Record<string, unknown>>

/** Whether all that a shape names is there, of its kind. */
export function fits(value: Fields, shape: Shape): boolean {
  return Object.entries(shape).every(([key, kind]) => {
    const found = value[key]
    return kind.endsWith('?') && found === null ? true : typeof found === kind.replace('?', '')
  })
}

export function isShaped(value: unknown, shape: Shape): value is Fields {
  return isRecord(value) && fits(value, shape)
}

export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

export function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds)
}

export function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

export function isString(value: unknown): boolean {
  return typeof value === 'string'
}

export function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number'
}

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
