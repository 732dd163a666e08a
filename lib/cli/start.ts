/**
 * From the words of the command line to a command that runs, and from its errors to what a person
 * reads and an exit code: 2 for a call that cannot be carried out as given.
 *
 * @module
 */

import { type CommandDef, renderUsage, runCommand, type SubCommandsDef } from 'citty'
import { AgentError, ConfigError, explain } from '../errors.ts'
import { checkWords } from './words.ts'

/** Exit code of a call or a document that cannot be used: nothing has been started. */
export const EXIT_USAGE = 2

const EXIT_INTERNAL = 1

/** Runs the command that the words name; never rejects. */
export async function startCli(main: CommandDef, words: readonly string[]): Promise<void> {
  try {
    await dispatch(main, words)
  } catch (error) {
    process.exitCode = report(error)
  }
}

async function dispatch(main: CommandDef, words: readonly string[]): Promise<void> {
  const [name, ...rest] = words
  if (name === '--version' || name === '-v') return await dispatch(main, ['version'])
  if (name === undefined || isHelp(name) || name === 'help') return await showUsage(main)

  const subCommands = (main.subCommands ?? {}) as SubCommandsDef
  const load = Object.hasOwn(subCommands, name) ? subCommands[name] : undefined
  if (load === undefined) {
    throw new ConfigError(`There is no command "${name}"`, {
      hint: `Use one of: ${Object.keys(subCommands).join(', ')}. See agent --help.`,
    })
  }
  const command = (typeof load === 'function' ? await load() : await load) as CommandDef
  if (rest.some(isHelp)) return await showUsage(command, main)
  checkWords(name, command.args ?? {}, rest)
  await runCommand(command, { rawArgs: [...rest] })
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h'
}

async function showUsage(command: CommandDef, parent?: CommandDef): Promise<void> {
  const usage = await renderUsage(command, parent)
  process.stdout.write(`${process.stdout.isTTY ? usage : withoutColours(usage)}\n`)
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
  return text.replace(/\x1b\[[0-9;]*m/g, '')
}

function report(error: unknown): number {
  if (error instanceof AgentError) {
    process.stderr.write(`agent: ${error.message}\n${error.hint}\n`)
    return EXIT_USAGE
  }
  process.stderr.write(`agent: unexpected failure, please report it\n${explain(error)}\n`)
  return EXIT_INTERNAL
}
