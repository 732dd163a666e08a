/**
 * Dispatches the command line to its command, and turns errors into a message and an exit code: 2 for
 * a command line that is invalid.
 *
 * @module
 */

import { type CommandDef, runCommand, type SubCommandsDef } from 'citty'
import { AgentError, ConfigError, explain, withCode } from '../errors.ts'
import { checkArgv, disguiseNegatives, joinLists, splitArgv } from './command-line.ts'
import { suggest } from './nearest.ts'
import { print } from './print.ts'
import { listCommands, renderCommandUsage, renderProgramUsage } from './usage.ts'

/** Exit code for an invalid command line or document: nothing has been started. */
export const EXIT_USAGE = 2

const EXIT_INTERNAL = 1

/** Runs the command that `argv` (without the program's name) begins with; never rejects. */
export async function dispatchCommand(main: CommandDef, argv: readonly string[]): Promise<void> {
  surviveClosedStreams()
  stayClosed()
  try {
    await dispatch(main, argv)
  } catch (error) {
    process.exit(report(error)) // nothing that the command has begun may keep the process alive
  }
}

/** A reader that has gone away (`agent --help | head -1`) must end neither a command nor a job. */
function surviveClosedStreams(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/**
 * On this signal Node opens a debugger: anyone who reaches it over loopback, that is any user of the
 * host, could make the agent run any code. Node's `--disable-sigusr1` would block the signal in every job as well.
 */
function stayClosed(): void {
  process.on('SIGUSR1', () => undefined)
}

async function dispatch(main: CommandDef, argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv
  if (name === '--version' || name === '-v') return await dispatch(main, ['version'])
  if (name === 'help' && rest[0] !== undefined) return await dispatch(main, [rest[0], '--help'])
  if (name === undefined || isHelp(name) || name === 'help') {
    return await print(`${await renderProgramUsage(main)}\n`)
  }

  const subCommands = (main.subCommands ?? {}) as SubCommandsDef
  const load = Object.hasOwn(subCommands, name) ? subCommands[name] : undefined
  if (load === undefined) {
    const names = (await listCommands(main)).map(([command]) => command)
    throw new ConfigError(`unknown command "${name}"`, {
      hint: `${suggest(name, names)}Use one of: ${names.join(', ')}. See agent --help.`,
    })
  }
  const command = (typeof load === 'function' ? await load() : await load) as CommandDef
  const { own, others } = splitArgv(command.args ?? {}, rest)
  if (own.some(isHelp)) return await print(`${renderCommandUsage(main, command)}\n`)
  const { args = {} } = command
  checkArgv(name, args, own)
  const rawArgs = [...disguiseNegatives(args, joinLists(args, own))]
  await runCommand(command, { rawArgs, data: others })
}

function isHelp(arg: string): boolean {
  return arg === '--help' || arg === '-h'
}

function report(error: unknown): number {
  if (error instanceof AgentError) {
    process.stderr.write(`agent: ${withCode(error)}\n${error.hint}\n`)
    return EXIT_USAGE
  }
  process.stderr.write(`agent: unexpected failure, please report it\n${explain(error)}\n`)
  return EXIT_INTERNAL
}
