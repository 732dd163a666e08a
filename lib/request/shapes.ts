/**
 * The values of a job request that hold other values, as valibot's types. What they let through is
 * decided in check-document.ts, value by value; valibot itself would check a whole document in one go.
 *
 * @module
 */

import * as v from 'valibot'

/** Of one list; as many commands no log can show. */
const MAX_ITEMS = 10_000

/** What holds other values. Such a schema is a type; its checks are in check-document.ts. */
export type Shape = RecordShape | ListShape

export interface RecordShape {
  readonly kind: 'record'
  readonly entries: Readonly<Record<string, v.GenericSchema>>
  /** Completes "expected …". */
  readonly what: string
  /** What it is when there is none; it has to be there without this. */
  readonly absent?: { readonly value: unknown } | undefined
}

export interface ListShape {
  readonly kind: 'list'
  readonly item: v.GenericSchema
  readonly maxItems: number
  readonly absent: { readonly value: unknown }
}

const shapes = new WeakMap<v.GenericSchema, Shape>()

/** @returns undefined for a schema that checks a value by itself */
export function shapeOf(schema: v.GenericSchema): Shape | undefined {
  return shapes.get(schema)
}

/** An object; null counts as absent, and keys beyond `entries` are remarked on. */
export function record<const Entries extends v.ObjectEntries>(
  entries: Entries,
  what = 'an object',
) {
  const schema = v.object(entries)
  shapes.set(schema, { kind: 'record', entries: entries as RecordShape['entries'], what })
  return schema
}

export function optionalRecord<const Entries extends v.ObjectEntries>(entries: Entries) {
  const schema = v.optional(v.object(entries))
  const known = entries as RecordShape['entries']
  shapes.set(schema, {
    ...{ kind: 'record', entries: known, what: 'an object' },
    absent: { value: undefined },
  })
  return schema
}

export function list<const Item extends v.GenericSchema>(item: Item, maxItems = MAX_ITEMS) {
  const schema = v.optional(v.array(item), [])
  shapes.set(schema, { kind: 'list', item, maxItems, absent: { value: [] } })
  return schema
}

/** Completes `path: expected …`; tells the kind of what was found, never the value. */
export function expected(what: string) {
  return ({ input }: { readonly input: unknown }): string => {
    const found = input === undefined ? '' : `, got ${kindOf(input)}`
    return `expected ${what}${found}`
  }
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (value === '') return 'an empty string'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
