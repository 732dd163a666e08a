/**
 * The definitions of all commands in one plain form, from which completion scripts and the manual page
 * are generated.
 *
 * @module
 */

import type { ArgDef, ArgsDef, CommandDef, CommandMeta, SubCommandsDef } from 'citty'
import { renderCommandUsage } from './usage.ts'

export interface ProgramDescription {
  readonly name: string
  readonly summary: string
  readonly commands: readonly CommandDescription[]
}

export interface CommandDescription {
  readonly name: string
  /** `agent run FILE [OPTIONS]` */
  readonly synopsis: string
  readonly summary: string
  /** Exit codes, examples; may be empty. */
  readonly notes: string
  readonly positionals: readonly PositionalDescription[]
  readonly options: readonly OptionDescription[]
}

export interface PositionalDescription {
  readonly name: string
  readonly value: Value
  readonly description: string
}

export interface OptionDescription {
  /** With its dashes. */
  readonly flag: string
  /** Absent for a switch. */
  readonly value: Value | undefined
  readonly description: string
}

/** What a flag's value or a positional argument may be. */
export interface Value {
  /** As in the help. */
  readonly hint: string
  /** `choice` is one of a few strings, `file` a path on this host, `text` anything. */
  readonly kind: 'choice' | 'file' | 'text'
  /** The strings of a choice. */
  readonly choices: readonly string[]
}

const HELP: OptionDescription = {
  flag: '--help',
  value: undefined,
  description: 'Show this help',
}

/** Value hints that mean a path. */
const FILE_HINTS: ReadonlySet<string> = new Set(['FILE', 'PATH'])

/** Without the commands that only the agent itself calls. */
export async function describeProgram(program: CommandDef): Promise<ProgramDescription> {
  const { name: programName = '', description = '' } = metaOf(program)
  const loads = Object.entries((program.subCommands ?? {}) as SubCommandsDef)
  const commands = await Promise.all(
    loads.map(async ([name, load]) => {
      const command = (typeof load === 'function' ? await load() : await load) as CommandDef
      return metaOf(command).hidden ? [] : [describeCommand(program, name, command)]
    }),
  )
  return { name: programName, summary: description, commands: commands.flat() }
}

function describeCommand(
  program: CommandDef,
  name: string,
  command: CommandDef,
): CommandDescription {
  const [summary = '', ...others] = (metaOf(command).description ?? '').split('\n')
  const [usage = ''] = renderCommandUsage(program, command).split('\n')
  const args = Object.entries((command.args ?? {}) as ArgsDef)
  return {
    name,
    synopsis: usage.replace('Usage: ', ''),
    summary,
    notes: others.join('\n').trim(),
    positionals: args.filter(([, { type }]) => type === 'positional').map(describePositional),
    options: [...args.filter(([, { type }]) => type !== 'positional').map(describeOption), HELP],
  }
}

function describePositional([name, definition]: [string, ArgDef]): PositionalDescription {
  const { description = '', valueHint = name.toUpperCase() } = definition
  return { name: name.toUpperCase(), value: describeValue(valueHint), description }
}

/** A switch that is on by default is described as the flag that turns it off, as in the help. */
function describeOption([name, definition]: [string, ArgDef]): OptionDescription {
  const { description = '', valueHint = 'VALUE' } = definition
  if (definition.type !== 'boolean') {
    const ending = definition.default === undefined ? '' : ` (default: ${definition.default})`
    const value = describeValue(valueHint)
    return { flag: `--${name}`, value, description: `${description}${ending}` }
  }
  if (definition.default !== true) return { flag: `--${name}`, value: undefined, description }
  const { negativeDescription = description } = definition
  return { flag: `--no-${name}`, value: undefined, description: negativeDescription }
}

function describeValue(hint: string): Value {
  if (FILE_HINTS.has(hint)) return { hint, kind: 'file', choices: [] }
  if (/^[a-z0-9-]+(\|[a-z0-9-]+)+$/.test(hint)) {
    return { hint, kind: 'choice', choices: hint.split('|') }
  }
  return { hint, kind: 'text', choices: [] }
}

function metaOf(command: CommandDef): CommandMeta {
  return (command.meta ?? {}) as CommandMeta
}
