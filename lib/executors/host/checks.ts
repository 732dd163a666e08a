/**
 * What a job on this host needs: bash, a terminal, a login that comes to an end, git.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Check, ok, problem, type Verdict, warning } from '../../checks/check.ts'
import { ShellError } from '../../errors.ts'
import { planHostResources } from '../../host/host-resources.ts'
import { loadPtyAddon } from '../../terminal/addon.ts'
import { findProgram, findScript } from '../../terminal/script.ts'
import type { CheckOptions } from '../kind.ts'
import { HostExecutor } from './executor.ts'

export function hostChecks(options: CheckOptions): readonly Check[] {
  const area = 'shell'
  const { path } = options
  return [
    { area, subject: 'bash', examine: (signal) => examineBash(path, signal) },
    { area, subject: 'terminal', examine: async () => examineTerminal(path) },
    { area, subject: 'login', examine: (signal) => examineLogin(options, signal) },
    { area, subject: 'git', examine: (signal) => examineGit(path, signal) },
  ]
}

async function examineBash(path: string, signal: AbortSignal): Promise<Verdict> {
  const bash = findProgram('bash', path)
  const remedy = 'Install the package bash, or start the agent with a PATH that has it.'
  if (bash === undefined) return problem(`there is none on PATH (${path})`, remedy)
  const line = await firstLine(bash, ['--version'], signal)
  const [, version] = /version (\S+)/.exec(line) ?? []
  return ok(`${bash}, version ${version ?? 'unknown'}`)
}

function examineTerminal(path: string): Verdict {
  try {
    loadPtyAddon()
    return ok('by the addon in this binary')
  } catch {
    const script = findScript(path)
    if (script !== undefined) return ok(`by ${script}; the addon in this binary cannot be loaded`)
  }
  return problem(
    'the addon in this binary cannot be loaded, and there is no "script" program',
    'Make /tmp, /dev/shm or /var/tmp executable for the agent, or install "script" (package bsdutils on Debian and Ubuntu, util-linux-script on Fedora and RHEL, util-linux-misc on Alpine).',
  )
}

/** The way a job's own shell starts, login scripts included. */
async function examineLogin(
  options: CheckOptions,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  // The other checks report what is missing.
  if (findProgram('bash', options.path) === undefined) return undefined
  const directory = await mkdtemp(join(options.temporaryDirectory, 'agent-doctor-')).catch(
    () => undefined,
  )
  if (directory === undefined) return undefined
  const home = options.environment['HOME'] ?? '/'
  const executor = new HostExecutor({
    ...options,
    resources: planHostResources({ privateDirectories: [directory], home }),
    policy: { gracePeriodMs: 0, forceStop: signal },
    cache: { directories: [], limitBytes: 0, environment: {}, project: '' },
    addSecret: () => undefined, // nothing is stored
  })
  const started = performance.now()
  try {
    await executor.prepare({ signal, block: async () => true, directives: [] })
    const { exitCode } = await executor.run('true', { signal, onOutput: () => undefined })
    const elapsedMs = Math.round(performance.now() - started)
    if (exitCode === 0) return ok(`a job's shell is ready after ${elapsedMs} ms`)
    return problem(`"true" ends with ${exitCode} in a login bash`, LOGIN_REMEDY)
  } catch (error) {
    if (signal.aborted) return problem('bash --login does not become ready', LOGIN_REMEDY)
    if (error instanceof ShellError) return problem(error.message, LOGIN_REMEDY)
    throw error
  } finally {
    await executor.dispose()
    await rm(directory, { recursive: true, force: true })
  }
}

const LOGIN_REMEDY =
  "Look in /etc/profile, ~/.bash_profile and ~/.profile of the agent's user for what ends the shell or waits for input."

async function examineGit(path: string, signal: AbortSignal): Promise<Verdict> {
  const git = findProgram('git', path)
  if (git === undefined) {
    return warning('there is none on PATH', 'Install git if jobs on this host use checkout.')
  }
  const version = (await firstLine(git, ['--version'], signal)).replace('git version ', '')
  return ok(`${git}, version ${version}`)
}

async function firstLine(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { signal, killSignal: 'SIGKILL' })
  return stdout.split('\n')[0] ?? ''
}
