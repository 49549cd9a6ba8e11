import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { test } from 'tap'
import { parse } from 'yaml'
import { z } from 'zod'
import { siteJsonSchema } from '../../collector/site-schema.ts'

const schema = z.looseObject({}).parse(siteJsonSchema())
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema)

/** Where an editor underlines. */
function underlined(text: string): readonly string[] {
  const value: unknown = parse(text)
  validate(value)
  return [...new Set((validate.errors ?? []).map((error) => error.instancePath))]
}

test('the schema for editors takes the example and every topology of the vectors', async (t) => {
  t.same(underlined(read('../../collector/site.example.yaml')), [])
  const { cases } = z
    .object({
      cases: z.array(
        z.object({ components: z.unknown(), services: z.record(z.string(), z.looseObject({})) }),
      ),
    })
    .parse(JSON.parse(read('../fixtures/topology/spof.json')))
  t.ok(cases.length > 5)
  for (const { components, services } of cases) {
    const written = Object.entries(services).map(([id, { needs }]) => [id, { needs }] as const)
    t.same(underlined(JSON.stringify({ components, services: Object.fromEntries(written) })), [])
  }
  t.same(underlined('{}'), [])
})

test('the schema for editors underlines typing errors where they are', async (t) => {
  const rows: readonly (readonly [string, string])[] = [
    ['component: {}', ''],
    ['components: { a: { kindd: ups } }', '/components/a'],
    ['components: { a b: {} }', '/components'],
    ['components: { a: { runtime: 30 } }', '/components/a/runtime'],
    ['components: { a: { runtime: 30 minutes } }', '/components/a/runtime'],
    ['components: { a: { needs: b } }', '/components/a/needs'],
    ['components: { a: { battery-installed: 31-05-2024 } }', '/components/a/battery-installed'],
    ['components: { a: { poe: { priority: urgent } } }', '/components/a/poe/priority'],
    [
      'components: { a: { watch: { measurement: upps, target: a } } }',
      '/components/a/watch/measurement',
    ],
    ['components: { a: { watch: { measurement: ups } } }', '/components/a/watch'],
    ['components: { a: { links: [b] } }', '/components/a/links'],
    ['services: { s: { promise: [1] } }', '/services/s/promise'],
    ['services: { s: { emergency: soms } }', '/services/s/emergency'],
    ['groups: { g: { members: [] } }', '/groups/g/members'],
    ['accepted: { a: { by: Jan, reason: cost } }', '/accepted/a'],
    ['absent: [modem]', '/absent/0'],
    ['emergency: { numbers: [112] }', '/emergency/numbers/0'],
  ]
  for (const [text, place] of rows) t.ok(underlined(text).includes(place), text)
  for (const need of [
    '{ anny: [a] }',
    '{ any: [] }',
    '{ atLeast: 1 }',
    '{ any: [a], all: [b] }',
    '[a]',
    '{ path: { from: a } }',
  ])
    t.ok(
      underlined(`components: { a: { needs: [${need}] } }`).includes('/components/a/needs/0'),
      need,
    )
  for (const need of [
    'b',
    '112',
    '{ any: [b, { all: [c, d] }] }',
    '{ atLeast: 2, of: [b, c] }',
    '{ path: { from: b, to: c } }',
  ])
    t.same(underlined(`components: { a: { needs: [${need}] } }`), [], need)
})

test('every option of the drawing is explained in the schema and shown in the example', async (t) => {
  const example = read('../../collector/site.example.yaml')
  const drawing = z
    .object({
      properties: z.record(
        z.string(),
        z.looseObject({ additionalProperties: z.unknown().optional() }),
      ),
    })
    .parse(schema).properties
  const shape = z.looseObject({ properties: z.record(z.string(), z.looseObject({})) })
  for (const part of ['components', 'groups', 'services', 'accepted'] as const) {
    const { properties } = shape.parse(drawing[part]?.additionalProperties)
    for (const [key, { description }] of Object.entries(properties)) {
      t.type(description, 'string', `${part}.${key} is explained`)
      t.match(example, new RegExp(`\\b${key}: `), `${part}.${key} is shown`)
    }
  }
})

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}
