import { z } from 'zod'
import { duration } from '../common/settings.ts'
import { siteFile } from './topology/site-file.ts'

/** Draft 7 is what the YAML servers of editors know best. */
const DRAFT = 'draft-7'
const DURATION = String.raw`^\s*\d+(\.\d+)?\s*(ms|s|min|h|d)\s*$`
/** An id such as 112 is a number to YAML. */
const ID = { type: ['string', 'integer'], minLength: 1 }
const SOME_NEEDS = { type: 'array', items: { $ref: '#/definitions/need' }, minItems: 1 }

/**
 * The site file as a JSON schema, for editors: keys, kinds of value and what each is for. What one part of a file says of another (an id that
 * is not declared, a circle) is beyond it: `site check` says that.
 */
export function siteJsonSchema(): unknown {
  const schema = z.toJSONSchema(siteFile, {
    io: 'input',
    target: DRAFT,
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === duration) jsonSchema.pattern = DURATION
    },
  })
  return {
    ...schema,
    title: 'Kiestoon site file',
    definitions: { need: NEED },
  }
}

const NEED = {
  description: 'The id of a component, or a choice among several',
  anyOf: [
    ID,
    only({ any: SOME_NEEDS }, 'One of these is enough'),
    only({ all: SOME_NEEDS }, 'All of these'),
    only({ atLeast: { type: 'integer', minimum: 1 }, of: SOME_NEEDS }, 'So many of these'),
    only(
      { path: only({ from: ID, to: ID }, 'Some way over components that have links') },
      'Some way over components that have links',
    ),
  ],
}

function only(properties: Readonly<Record<string, unknown>>, description: string): unknown {
  return {
    ...{ type: 'object', description, properties },
    ...{ required: Object.keys(properties), additionalProperties: false },
  }
}
