/**
 * The short form in the JSON Schema of a job file: what short-form.ts takes, beside the long form.
 *
 * @module
 */

import type { JsonSchema } from '@valibot/to-json-schema'

type Schemas = Record<string, JsonSchema>

const TEXT: JsonSchema = { type: ['string', 'null'] }

/** What is taken as it is written. */
const PLAIN: JsonSchema = { type: ['string', 'number', 'boolean'] }

/** Adds it to the schema of the long form, before that is described. */
export function allowShortForm(schema: JsonSchema): void {
  const long = schema.properties as Schemas
  for (const [key, field] of Object.entries(long)) {
    if (key.endsWith('commands')) allowPlainCommands(field)
  }
  const container = itemsOf(fieldsOf(long['compose'])['containers'])
  allowShortContents(container)
  allowMap(long['files'], 'path')
  schema.properties = {
    ...long,
    image: TEXT,
    services: servicesOf(container),
    env: variables(),
    secrets: { type: ['array', 'null'], items: { type: 'string' } },
    env_file: TEXT,
    workdir: TEXT,
    always: structuredClone(long['commands'] ?? {}),
    on_pass: structuredClone(long['commands'] ?? {}),
    on_fail: structuredClone(long['commands'] ?? {}),
    timeout: { ...TEXT, pattern: '^(?=\\d)(\\d+h)?(\\d+m)?(\\d+s)?$' },
  }
}

/** A mapping of names to values. */
function variables(): JsonSchema {
  return { type: ['object', 'null'], additionalProperties: PLAIN }
}

function allowPlainCommands(list: JsonSchema): void {
  const command = itemsOf(list)
  command.type = ['object', 'string', 'number', 'boolean']
  command.properties = { ...command.properties, run: PLAIN, name: PLAIN }
  delete command.required
  const fields = ['directive', 'run'].map(
    (key): JsonSchema => ({ type: 'object', required: [key] }),
  )
  command.anyOf = [PLAIN, ...fields]
}

function allowShortContents(container: JsonSchema): void {
  container.properties = { ...container.properties, env: variables() }
  allowMap(fieldsOf(container)['files'], 'path')
}

function servicesOf(container: JsonSchema): JsonSchema {
  const services: JsonSchema = { type: ['array', 'null'], items: structuredClone(container) }
  allowMap(services, 'name')
  services.additionalProperties = {
    anyOf: [{ type: 'string' }, services.additionalProperties as JsonSchema],
  }
  return services
}

/** In place of a list, a mapping: of what its items have in one field to the others of that item. */
function allowMap(list: JsonSchema | undefined, key: string): void {
  if (list === undefined) return
  const entry = structuredClone(itemsOf(list))
  const { [key]: _, ...others } = fieldsOf(entry)
  entry.properties = others
  entry.required = entry.required?.filter((name) => name !== key) ?? []
  list.type = ['array', 'object', 'null']
  list.additionalProperties = entry
}

function itemsOf(list: JsonSchema | undefined): JsonSchema {
  return list?.items as JsonSchema // a list of the schema of requests
}

function fieldsOf(schema: JsonSchema | undefined): Schemas {
  return schema?.properties as Schemas
}
