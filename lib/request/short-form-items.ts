/**
 * Commands and files of the short form as those of the long form. Pure. What is neither is
 * left as it is: the schema has its words for it.
 *
 * @module
 */

import type { Expansion, Place } from './expansion.ts'
import { isRecord } from './shapes.ts'

type Fields = Readonly<Record<string, unknown>>

/** Plain strings are commands; `run` is `directive`, `name` is `alias`. */
export function toCommands(value: unknown, { from, to }: Place, notes: Expansion): unknown {
  if (!Array.isArray(value)) return value
  return value.map((entry: unknown, index) => {
    const place = { from: [...from, index], to: `${to}[${index}]` }
    if (isPlain(entry)) {
      notes.trace(`${place.to}.directive`, place.from)
      return { directive: String(entry) }
    }
    if (!isRecord(entry)) return entry
    return rename(
      rename(entry, ['run', 'directive'], place, notes),
      ['name', 'alias'],
      place,
      notes,
    )
  })
}

/** A mapping of paths to files, or the list of the long form; `text` is a content as it is. */
export function toFiles(value: unknown, { from, to }: Place, notes: Expansion): unknown {
  const entries: ReadonlyArray<readonly [number | string, unknown]> = Array.isArray(value)
    ? [...value.entries()]
    : isRecord(value)
      ? Object.entries(value)
      : []
  if (entries.length === 0) return isRecord(value) ? [] : value
  return entries.map(([key, entry], index) => {
    const place = { from: [...from, key], to: `${to}[${index}]` }
    notes.trace(place.to, place.from)
    if (typeof key === 'number') return isRecord(entry) ? withContent(entry, place, notes) : entry
    notes.trace(`${place.to}.path`, place.from)
    if (isRecord(entry)) return { ...withContent(entry, place, notes), path: key }
    notes.report(place.from, 'expected an object with text, file or content')
    return { path: key, content: '' }
  })
}

/** `file` is read later, by whoever may read files. */
function withContent(entry: Fields, place: Place, notes: Expansion): Fields {
  if (isAbsent(entry['text'])) return entry
  const { text, file: _, ...others } = entry
  const beside = ['file', 'content'].filter((key) => !isAbsent(entry[key]))
  if (beside.length > 0) {
    notes.report([...place.from, 'text'], `expected either text or ${beside[0]}, got both`)
  }
  if (!isPlain(text)) notes.report([...place.from, 'text'], 'expected the text of a file')
  return { ...others, content: encode(isPlain(text) ? String(text) : '') }
}

/** A field of the short form under its name in the long form, unless that one is there as well. */
export function rename(
  fields: Fields,
  [short, long]: readonly [short: string, long: string],
  { from, to }: Place,
  notes: Expansion,
): Fields {
  const { [short]: value, ...others } = fields
  if (isAbsent(value)) return fields
  if (!isAbsent(fields[long])) {
    notes.report([...from, short], `expected either ${short} or ${long}, got both`)
    return others
  }
  notes.trace(to === '' ? long : `${to}.${long}`, [...from, short])
  return { ...others, [long]: value }
}

export function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** As in the whole of a job file. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

export function isPlain(value: unknown): value is boolean | number | string {
  return ['boolean', 'number', 'string'].includes(typeof value)
}
