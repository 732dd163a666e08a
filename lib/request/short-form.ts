/**
 * The short form of a job file, as a person would write it, into the long form, which is the one of
 * the wire (see lib/request/README.md). Both may be mixed. Pure.
 *
 * @module
 */

import { Expansion, type Place, within } from './expansion.ts'
import { isRecord } from './shapes.ts'
import { containersOf } from './short-form-containers.ts'
import { isAbsent, rename, toCommands, toFiles } from './short-form-items.ts'
import { type FileContext, variablesOf } from './short-form-variables.ts'

type Fields = Readonly<Record<string, unknown>>

export interface LongForm {
  readonly document: unknown
  /** The directory in which the commands run, as written; the long form has no field for it. */
  readonly workdir: string | undefined
  readonly notes: Expansion
}

/** Lists of commands, by their names in both forms. */
const COMMANDS: ReadonlyArray<readonly [short: string, long: string]> = [
  ['always', 'epilogue_always_commands'],
  ['on_pass', 'epilogue_on_pass_commands'],
  ['on_fail', 'epilogue_on_fail_commands'],
]

const COMMAND_LISTS = ['commands', 'epilogue_commands', ...COMMANDS.map(([, long]) => long)]

const TOP: Place = { from: [], to: '' }

/** @returns the document with nothing of the short form left in it, and what is wrong with that form */
export function expandShortForm(document: unknown, context: FileContext): LongForm {
  const notes = new Expansion()
  if (!isRecord(document)) return { document, workdir: undefined, notes }
  const { env, env_file, secrets, workdir, image, services, ...others } = document
  let fields: Fields = others
  for (const names of COMMANDS) fields = rename(fields, names, TOP, notes)
  fields = rename(fields, ['timeout', 'timeout_in_seconds'], TOP, notes)
  const lists = COMMAND_LISTS.filter((key) => Object.hasOwn(fields, key)).map((key) => {
    return [key, toCommands(fields[key], { from: notes.originOf(key), to: key }, notes)] as const
  })
  return {
    document: {
      ...fields,
      ...Object.fromEntries(lists),
      ...timeoutOf(document['timeout'], notes),
      ...variablesOf(document, TOP, notes, context),
      ...('files' in fields && { files: toFiles(fields['files'], within(TOP, 'files'), notes) }),
      ...containersOf(document, notes),
    },
    workdir: workdirOf(workdir, notes),
    notes,
  }
}

function workdirOf(value: unknown, notes: Expansion): string | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'string' && value !== '') return value
  notes.report(['workdir'], 'expected the path of a directory on this machine')
  return undefined
}

const SECONDS: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1 }

function timeoutOf(value: unknown, notes: Expansion): Fields {
  if (isAbsent(value)) return {}
  const isDuration = typeof value === 'string' && /^(?=\d)(\d+h)?(\d+m)?(\d+s)?$/.test(value)
  if (!isDuration) {
    notes.report(['timeout'], 'expected a time with its unit, such as 90s, 20m or 1h30m')
    return { timeout_in_seconds: undefined }
  }
  const parts = [...value.matchAll(/(\d+)([hms])/g)]
  const sum = parts.reduce(
    (all, [, count, unit = '']) => all + Number(count) * (SECONDS[unit] ?? 0),
    0,
  )
  return { timeout_in_seconds: sum }
}
