/**
 * Runs a job's commands in a login bash on this host.
 *
 * @module
 */

import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { onAbort } from '../../async/abort.ts'
import { throwFailures } from '../../async/settle-all.ts'
import { ShellError } from '../../errors.ts'
import { type HostResources, removeJobFiles, variablesFile } from '../../host/host-resources.ts'
import { JobDirectory } from '../../host/job-directory.ts'
import { addToLoginProfile } from '../../host/login-profile.ts'
import { checkRoomForShell } from '../../host/process-limits.ts'
import { describeProcesses } from '../../host/process-report.ts'
import {
  COOKIE_NAME,
  findJobProcesses,
  identifyLeader,
  killJobProcesses,
  type ProcessSelector,
  type SessionLeader,
  signalProcesses,
} from '../../host/processes.ts'
import { prepareLocks } from '../../private/lock.ts'
import type { EncodedFile } from '../../request/job-request.ts'
import { DIRECTIVE_FILE, OWN_STEPS } from '../../shell/boot.ts'
import { formatCheckedExports, formatExports } from '../../shell/exports.ts'
import { quoteWord } from '../../shell/quote.ts'
import type { Session } from '../../shell/session.ts'
import type { HostTerminal } from '../../terminal/program.ts'
import { pathAfter, toolboxPrelude } from '../../toolbox/toolbox-files.ts'
import type {
  Executor,
  OnOutput,
  PrepareOptions,
  RunOptions,
  RunResult,
  Variable,
} from '../executor.ts'
import { runExitTrap } from '../exit-trap.ts'
import type { SharedOptions } from '../kind.ts'
import { withDefaults } from './environment.ts'
import { injectHostFiles } from './inject-files.ts'
import { startShell } from './start-shell.ts'
import { stopHostJob } from './stop.ts'
import { HostToolbox } from './toolbox.ts'

export interface HostOptions extends SharedOptions {
  /** Awaited for each shell before a directive runs in it. */
  readonly onLeader?: ((leader: SessionLeader) => Promise<void>) | undefined
  /**
   * Whether login shells of the job's user get its variables, by a line in the profile: of jobs side
   * by side each would get those of all. Default true.
   */
  readonly tellsLogins?: boolean
}

/** In the job's private directory. */
const TOOLBOX = 'toolbox'

export class HostExecutor implements Executor {
  readonly #options: HostOptions
  readonly #leaders = new Set<number>()
  #resources: HostResources | undefined
  #directory: JobDirectory | undefined
  #environment: Readonly<Record<string, string>> = {}
  #terminal: HostTerminal | undefined
  #session: Session | undefined
  #toolbox: HostToolbox | undefined
  #grouped: Promise<void> | undefined
  /** By which the job's shell is known. */
  #boot = ''
  /** There is a file with variables. */
  #exported = false
  /** Once the job's stop has begun. */
  #stopping: Promise<void> | undefined
  #steps = 0

  constructor(options: HostOptions) {
    this.#options = options
  }

  async prepare({ signal, directives }: PrepareOptions): Promise<boolean> {
    const { environment, resources } = this.#options
    this.#steps = directives.length + OWN_STEPS
    const complete = withDefaults(environment)
    this.#resources = resources
    this.#environment = { ...complete, [COOKIE_NAME]: this.#resources.cookie }
    this.#directory = new JobDirectory(resources.directory ?? '', resources.spares ?? [])
    onAbort(signal, this.#stop)
    this.#toolbox = new HostToolbox(this.#path(TOOLBOX), this.#options)
    await this.#openSession(signal)
    return true
  }

  async exportVariables(variables: readonly Variable[], options: RunOptions): Promise<number> {
    await this.#restoreDirectory()
    await this.#keepVariables(formatExports(variables), options.onOutput)
    const checked = formatCheckedExports(variables)
    const exports = [checked, Buffer.from(pathAfter(variables, this.#path(TOOLBOX)))]
    const { exitCode } = await this.#runFile(Buffer.concat(exports), { ...options, quiet: true })
    this.#jobDirectory().keep()
    return exitCode
  }

  async injectFiles(
    files: readonly EncodedFile[],
    { signal, onOutput }: RunOptions,
  ): Promise<number> {
    const session = await this.#openSession(signal)
    const directory = this.#jobDirectory()
    const { home } = session.info
    const options = { home, directory: directory.path, signal, onOutput }
    const exitCode = await injectHostFiles(files, options)
    directory.keep()
    return exitCode
  }

  async run(directive: string, options: RunOptions): Promise<RunResult> {
    return await this.#runFile(Buffer.from(directive), options)
  }

  async describeProcesses(): Promise<string> {
    return this.#resources === undefined
      ? ''
      : describeProcesses(findJobProcesses(this.#selector()))
  }

  async endShell(options: RunOptions): Promise<number> {
    if (this.#session === undefined || this.#session.closed) return 0
    const shell = { run: this.run.bind(this), kill: () => killJobProcesses(this.#selector()) }
    return await runExitTrap(shell, options, this.#options.policy)
  }

  async dispose(): Promise<void> {
    if (this.#resources === undefined) return
    // At once: the next job's login shell must not find these variables by the line in the profile.
    this.#directory?.remove(variablesFile(this.#directory.path))
    await this.#stopping?.catch(() => undefined) // what could not be killed is tried again below, and reported
    this.#session?.close()
    await this.#toolbox?.close()
    const killed = await Promise.allSettled([killJobProcesses(this.#selector())])
    this.#terminal?.close()
    const removed = await Promise.allSettled([removeJobFiles(this.#resources)])
    throwFailures([...killed, ...removed], 'The job could not be cleaned up')
  }

  async #runFile(
    text: Uint8Array,
    { signal, onOutput, quiet = false }: RunOptions,
  ): Promise<RunResult> {
    await this.#restoreDirectory()
    const session = await this.#openSession(signal)
    const { handover } = this.#jobDirectory()
    if (!quiet) await this.#grouped
    const content = quiet ? text : session.prepare(Buffer.from(text).toString())
    // As a rule in the job's directory, and elsewhere when that takes none: see test/e2e/job-disk.test.ts.
    const file = await handover.write(DIRECTIVE_FILE, content)
    try {
      const result = await session.run(file, onOutput, { quiet })
      if (result.shellLost) signalProcesses([...this.#leaders], 'SIGKILL')
      return result
    } finally {
      await this.#stopping
      await handover.remove(file)
    }
  }

  /** A job may remove any file of its user's, and its own directory with them. */
  async #restoreDirectory(): Promise<void> {
    const directory = this.#jobDirectory()
    const toolbox = this.#path(TOOLBOX)
    if (directory.isThere() && HostToolbox.isWhole(toolbox)) return
    await this.#toolbox?.close()
    try {
      directory.restore()
      await rm(toolbox, { recursive: true, force: true })
      this.#toolbox = new HostToolbox(toolbox, this.#options)
    } catch (error) {
      if (error instanceof ShellError) throw error
      // There is no room for the toolbox; what is to be run may find some elsewhere.
    }
  }

  /** The living session, or a fresh shell when the last one died with its directive. */
  async #openSession(signal: AbortSignal): Promise<Session> {
    if (this.#session !== undefined && !this.#session.closed) return this.#session
    signal.throwIfAborted()
    checkRoomForShell()
    const { session, grouped } = await startShell({
      environment: this.#environment,
      directory: this.#jobDirectory(),
      prelude: `${this.#variablesPrelude()}${toolboxPrelude(this.#path(TOOLBOX))}`,
      steps: this.#steps,
      cgroup: this.#prepared().cgroup,
      signal,
      onStart: async (terminal, boot) => {
        this.#terminal = terminal
        this.#boot = boot
        this.#leaders.add(terminal.pid)
        await this.#options.onLeader?.(identifyLeader(terminal.pid))
        prepareLocks() // while bash starts
      },
    })
    this.#session = session
    this.#grouped = grouped
    return session
  }

  readonly #stop = (): void => {
    const stopping = Promise.all([
      this.#toolbox?.close(),
      stopHostJob(this.#selector(), this.#boot, this.#options.policy),
    ])
    this.#stopping = stopping.then(() => undefined)
    this.#stopping.catch(() => undefined) // for whoever waits
  }

  /** Of a shell that replaces the first one, and has not got them by its login. */
  #variablesPrelude(): string {
    if (!this.#exported || this.#options.tellsLogins !== false) return ''
    return `\\builtin . ${quoteWord(variablesFile(this.#jobDirectory().path))} 2>/dev/null\n`
  }

  /** For login shells: those of a person, and one that replaces the job's own. */
  async #keepVariables(exports: Buffer, onOutput: OnOutput): Promise<void> {
    const file = variablesFile(this.#jobDirectory().path)
    try {
      await appendFile(file, exports, { mode: 0o600 })
      const { tellsLogins = true } = this.#options
      if (tellsLogins && !this.#exported) await addToLoginProfile(this.#prepared().home, file)
      this.#exported = true
    } catch (error) {
      // The job's shell gets them all the same.
      const reason = error instanceof Error ? error.message : String(error)
      await onOutput(`Login shells will not have these variables: ${reason}\n`)
    }
  }

  #selector(): ProcessSelector {
    const { cookie, cgroup, since } = this.#prepared()
    return { cookie, cgroup, since, leaders: this.#leaders }
  }

  #path(name: string): string {
    return join(this.#jobDirectory().path, name)
  }

  #jobDirectory(): JobDirectory {
    if (this.#directory === undefined) throw new RangeError('the executor has not been prepared')
    return this.#directory
  }

  #prepared(): HostResources {
    if (this.#resources === undefined) throw new RangeError('the executor has not been prepared')
    return this.#resources
  }
}
