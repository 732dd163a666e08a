/**
 * Renders the output of `--help` from the definition of a command.
 *
 * @module
 */

import type { ArgDef, ArgsDef, CommandDef, CommandMeta, SubCommandsDef } from 'citty'
import { COMMAND } from './command-line.ts'

type Row = readonly [term: string, description: string]

/** The help of the program itself: its commands, each loaded for its summary. */
export async function renderProgramUsage(program: CommandDef): Promise<string> {
  const { name = '', description = '' } = (program.meta ?? {}) as CommandMeta
  const rows = await listCommands(program)
  return [
    `Usage: ${name} COMMAND [OPTIONS]`,
    description,
    `Commands:\n${renderRows(rows)}`,
    `Run ${name} COMMAND --help for details on a command.`,
  ].join('\n\n')
}

/** Names and summaries of all commands except internal ones and old names. */
export async function listCommands(program: CommandDef): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, load] of Object.entries((program.subCommands ?? {}) as SubCommandsDef)) {
    const command = (typeof load === 'function' ? await load() : await load) as CommandDef
    if ((command.meta as CommandMeta | undefined)?.hidden) continue
    rows.push([name, splitDescription(command).summary])
  }
  return rows
}

/**
 * The help of one command. The first line of its description is the summary; the others (exit codes,
 * examples) come last.
 */
export function renderCommandUsage(program: CommandDef, command: CommandDef): string {
  const prefix = [program, command].map(({ meta }) => (meta as CommandMeta | undefined)?.name)
  const { summary, notes } = splitDescription(command)
  const args = Object.entries((command.args ?? {}) as ArgsDef)
  const positionals = args.filter(([, { type }]) => type === 'positional')
  const placeholders = positionals
    .filter(([name]) => name !== COMMAND)
    .map(([name, { required }]) =>
      required === false ? `[${name.toUpperCase()}]` : name.toUpperCase(),
    )
  const options = args.filter(([, { type }]) => type !== 'positional')
  const endings = [
    ...(options.length > 0 ? ['[OPTIONS]'] : []),
    ...(Object.hasOwn(command.args ?? {}, COMMAND) ? ['[-- COMMAND...]'] : []),
  ]
  const sections = [
    `Usage: ${[...prefix, ...placeholders, ...endings].join(' ')}`,
    summary,
    renderSection(
      'Arguments',
      positionals.map(([name, definition]) => argumentRow(name, definition)),
    ),
    renderSection(
      'Options',
      options.map(([name, definition]) => optionRow(name, definition)),
    ),
    notes,
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function splitDescription(command: CommandDef): { summary: string; notes: string } {
  const { description = '' } = (command.meta ?? {}) as CommandMeta
  const [summary = '', ...others] = description.split('\n')
  return { summary, notes: others.join('\n').trim() }
}

function argumentRow(name: string, { description = '' }: ArgDef): Row {
  return [name.toUpperCase(), description]
}

/** A switch that is on by default is shown as the flag that turns it off. */
function optionRow(name: string, definition: ArgDef): Row {
  const { description = '' } = definition
  if (definition.type !== 'boolean') {
    const ending = definition.default === undefined ? '' : ` (default: ${definition.default})`
    return [`--${name} ${definition.valueHint ?? 'VALUE'}`, `${description}${ending}`]
  }
  if (definition.default !== true) return [`--${name}`, description]
  return [`--no-${name}`, definition.negativeDescription ?? description]
}

function renderSection(title: string, rows: readonly Row[]): string {
  return rows.length === 0 ? '' : `${title}:\n${renderRows(rows)}`
}

function renderRows(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([term]) => term.length))
  return rows.map(([term, description]) => `  ${term.padEnd(width)}  ${description}`).join('\n')
}
