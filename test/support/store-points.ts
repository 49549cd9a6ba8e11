import { definitionOf, type FieldValue, type MeasurementName } from '../../common/measurement.ts'

/** A value for every field the vocabulary gives the measurement; which one depends on the seed and the field. */
export function everyField(name: MeasurementName, seed: number): Record<string, FieldValue> {
  const { fields } = definitionOf(name)
  return Object.fromEntries(
    Object.entries(fields).map(([field, { type }], index): [string, FieldValue] => {
      const number = (seed * 7919 + index * 104_729) % 10_007
      switch (type) {
        case 'float':
          return [field, number / 100]
        case 'integer':
          return [field, number % (index + 2)]
        case 'boolean':
          return [field, number % 2 === 0]
        case 'string':
          return [field, `${field} ${number % 50}`]
      }
    }),
  )
}
