/**
 * Runs a job's commands in containers: a main one with the job's shell, and services beside it on
 * a network of their own (see lib/executors/container/README.md).
 *
 * @module
 */

import { Deadline, onAbort, unlessAborted } from '../../async/abort.ts'
import { DockerClient } from '../../docker/client.ts'
import type { ImageInfo, RegistryLogin } from '../../docker/images.ts'
import { DockerRefusedError, UndeliveredError } from '../../errors.ts'
import { STEP_TITLES } from '../../events/block-titles.ts'
import type { Compose, EncodedFile } from '../../request/job-request.ts'
import type { Session } from '../../shell/session.ts'
import type { ArchiveEntry } from '../../tar/pack.ts'
import type { Executor, PrepareOptions, RunOptions, RunResult, Variable } from '../executor.ts'
import { EXIT_DIRECTIVES, runExitTrap } from '../exit-trap.ts'
import type { SharedOptions } from '../kind.ts'
import { CleanupDeadline } from './cleanup-deadline.ts'
import { endHostSetup, runHostSetup } from './host-setup.ts'
import { setUpCredentials } from './images/credentials.ts'
import { ensureImages, type PullReport } from './images/pull.ts'
import { injectContainerFiles } from './inject-files.ts'
import { JobObjects, type Ownership } from './job-objects.ts'
import type { MainContainer } from './main-container.ts'
import { describeContainerProcesses } from './process-report.ts'
import { describeDead } from './services/dead.ts'
import { Staging } from './staging.ts'
import { type StartOptions, startContainers } from './start-containers.ts'
import { ContainerToolbox } from './toolbox.ts'

export interface ContainerOptions extends Ownership, SharedOptions, StartOptions {
  readonly compose: Compose
  /** Of the engine; also what the main container gets as its own. */
  readonly socketPath: string
  /** Without a word from the engine, a pull fails after this. Default 300,000. */
  readonly pullStallTimeoutMs: number
  readonly onPulled?: ((report: PullReport) => void) | undefined
}

/** The container itself. */
const GONE = 404

/** Directives that will ask the agent, unless a script does. */
const ASKS = /\b(cache|checksum|mask)\b/

/** Starting a program in a container takes a tenth of a second of somebody's time. */
const TOOLBOX_DELAY_MS = 300

export class ContainerExecutor implements Executor {
  readonly #options: ContainerOptions
  readonly #docker: DockerClient
  readonly #objects: JobObjects
  readonly #staging = new Staging()
  readonly #logins: RegistryLogin[] = []
  #main: MainContainer | undefined
  #toolbox: ContainerToolbox | undefined
  #toolboxDelayMs = TOOLBOX_DELAY_MS
  #exported = false
  /** Once the job's stop has begun in its main container. */
  #stopping: Promise<void> | undefined
  readonly #stopFailed = Promise.withResolvers<never>()
  /** Aborted when a stop has nothing left to wait for. */
  readonly #shellEnded = new AbortController()

  constructor(options: ContainerOptions) {
    this.#options = options
    this.#docker = new DockerClient(options.socketPath)
    this.#objects = new JobObjects(this.#docker, options)
    this.#stopFailed.promise.catch(() => undefined) // for whoever waits
  }

  async prepare(options: PrepareOptions): Promise<boolean> {
    const { signal, block } = options
    onAbort(signal, this.#stop)
    const { hostSetupCommands, imagePullCredentials } = this.#options.compose
    if (!(await runHostSetup(hostSetupCommands, { signal, block }, this.#options))) return false

    const loggedIn =
      imagePullCredentials.length === 0 ||
      (await block(STEP_TITLES.credentials, (onOutput) =>
        setUpCredentials(this.#docker, imagePullCredentials, this.#logins, {
          environment: this.#options.environment,
          addSecret: this.#options.addSecret,
          stallTimeoutMs: this.#options.pullStallTimeoutMs,
          signal,
          onOutput,
        }),
      ))
    if (!loggedIn) return false

    // Takes a fifth of a job's start, and waits for nothing: so it begins while images are looked for.
    const network = this.#objects.createNetwork()
    network.catch(() => undefined) // thrown where it is needed, unless something else fails first
    try {
      return await this.#pullAndStart(network, options)
    } finally {
      await this.#letFinish(Promise.allSettled([network]), signal) // so that dispose finds it whole
    }
  }

  async exportVariables(variables: readonly Variable[], options: RunOptions): Promise<number> {
    if (variables.length === 0) return 0
    const { main, session } = await this.#open(options.signal)
    const owner = session.info
    const [values, script] = this.#staging.exports(variables, owner)
    const files = [this.#staging.environmentFile(owner), values, script]
    await deliver(main, files, options.signal)
    const { exitCode } = await this.#run(script.path, { ...options, quiet: true })
    this.#exported = true
    return exitCode
  }

  async injectFiles(files: readonly EncodedFile[], options: RunOptions): Promise<number> {
    const { main, session } = await this.#open(options.signal)
    const target = { docker: this.#docker, containerId: main.id, info: session.info, runs: true }
    return await injectContainerFiles(target, files, options)
  }

  async run(directive: string, options: RunOptions): Promise<RunResult> {
    const { main, session } = await this.#open(options.signal)
    const text = options.quiet ? directive : session.prepare(directive)
    const file = this.#staging.directive(text)
    await deliver(main, [file], options.signal)
    return await this.#run(file.path, options)
  }

  async describeProcesses(signal: AbortSignal): Promise<string> {
    const { id, session } = this.#main ?? {}
    if (id === undefined || session === undefined) return ''
    return await describeContainerProcesses(this.#docker, id, session.info, signal)
  }

  async describeDeadServices(signal: AbortSignal): Promise<readonly string[]> {
    const [, ...services] = this.#options.compose.containers.map(({ name }) => name)
    const made = this.#objects.made.filter(({ name }) => services.includes(name))
    return await describeDead(this.#docker, made, signal)
  }

  async endShell(options: RunOptions): Promise<number> {
    const main = this.#main
    if (main?.session === undefined) return 0
    const { policy } = this.#options
    const shell = { run: this.run.bind(this), kill: () => main.kill(policy) }
    return await runExitTrap(shell, options, policy)
  }

  async dispose(): Promise<void> {
    const { compose, resources } = this.#options
    await this.#stopping?.catch(() => undefined) // thrown where it was awaited; everything is removed now
    this.#main?.close()
    await this.#toolbox?.close()
    try {
      if (compose.hostSetupCommands.length > 0) await endHostSetup(resources)
    } finally {
      await this.#removeObjects()
    }
  }

  async #removeObjects(): Promise<void> {
    using deadline = new CleanupDeadline(this.#options.policy.forceStop)
    try {
      await this.#objects.removeAll(deadline.signal)
    } finally {
      await this.#docker.close()
    }
  }

  async #pullAndStart(
    network: Promise<void>,
    { signal, block, directives, exports = [] }: PrepareOptions,
  ): Promise<boolean> {
    const { compose, pullStallTimeoutMs } = this.#options
    const { containers } = compose
    let images: ReadonlyMap<string, ImageInfo> = new Map()
    const pulled = await block(STEP_TITLES.pull, async (onOutput) => {
      images = await ensureImages(this.#docker, containers, {
        ...this.#options,
        logins: this.#logins,
        stallTimeoutMs: pullStallTimeoutMs,
        signal,
        onOutput,
      })
      return 0
    })
    if (!pulled) return false

    return await block(STEP_TITLES.start, async (onOutput) => {
      const starting = startContainers({
        ...this.#options,
        docker: this.#docker,
        objects: this.#objects,
        staging: this.#staging,
        network,
        containers,
        images,
        directives: [...directives, ...EXIT_DIRECTIVES],
        exports,
        signal,
        onOutput,
      })
      const { exitCode, main } = await this.#letFinish(starting, signal)
      this.#main = main
      if (directives.some((text) => ASKS.test(text))) this.#toolboxDelayMs = 0
      this.#listen(main)
      return exitCode
    })
  }

  /** To what the programs of a shell that has just started may come to ask. */
  #listen(main: MainContainer | undefined): void {
    if (main?.session === undefined) return
    this.#toolbox ??= new ContainerToolbox({
      docker: this.#docker,
      containerId: main.id,
      directory: this.#staging.toolboxPath,
      addSecret: this.#options.addSecret,
      cache: this.#options.cache,
      waits: this.#options.waits,
      user: main.session.info,
    })
    this.#toolbox.listen(this.#toolboxDelayMs)
  }

  /**
   * A stop lets work of the engine come to its end, so that what it makes is there to be removed;
   * but an engine that hangs is not waited for longer than a command would be.
   */
  async #letFinish<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const { gracePeriodMs, forceStop } = this.#options.policy
    const late = new AbortController()
    using done = new DisposableStack()
    done.use(
      onAbort(signal, () => {
        const deadline = done.use(new Deadline(gracePeriodMs, forceStop))
        done.use(onAbort(deadline.signal, () => late.abort(signal.reason)))
      }),
    )
    return await unlessAborted(work, late.signal)
  }

  async #run(path: string, { signal, onOutput, quiet = false }: RunOptions): Promise<RunResult> {
    const { main, session } = await this.#open(signal)
    try {
      const started = new Date()
      // A stop that fails is the engine's failure, and ends the wait for the command as well.
      const running = session.run(path, onOutput, { quiet })
      const result = await Promise.race([running, this.#stopFailed.promise])
      if (result.shellLost) await main.kill(this.#options.policy)
      if (!signal.aborted) await main.explainKill(result, started, onOutput)
      return result
    } finally {
      if (signal.aborted && session.closed) this.#shellEnded.abort()
    }
  }

  readonly #stop = (): void => {
    const main = this.#main
    if (main === undefined) return
    // First: the engine can do nothing to a container whose files are being moved.
    const closed = Promise.resolve(this.#toolbox?.close())
    this.#stopping = closed.then(() => main.stop(this.#options.policy, this.#shellEnded.signal))
    this.#stopping.catch(this.#stopFailed.reject)
  }

  /** The living shell, or a fresh one when the last one died with its directive. */
  async #open(signal: AbortSignal): Promise<{ main: MainContainer; session: Session }> {
    signal.throwIfAborted()
    const main = this.#main
    if (main === undefined) throw new RangeError('the executor has not been prepared')
    if (main.session !== undefined) return { main, session: main.session }

    const quiet = { signal, onOutput: () => undefined } // start-up noise belongs to no directive
    const session = await main.open(quiet)
    this.#listen(main)
    // Its login has read them, if there is a home; if there is none, this is how it knows them.
    const environment = this.#staging.environmentFile(session.info).path
    if (this.#exported) await session.run(environment, quiet.onOutput, { quiet: true })
    return { main, session }
  }
}

/** As a rule they are there since the container was made: what comes later may find a full disk. */
async function deliver(
  main: MainContainer,
  entries: readonly ArchiveEntry[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await main.write(entries, signal)
  } catch (error) {
    if (!(error instanceof DockerRefusedError) || error.status === GONE) throw error
    throw new UndeliveredError(`The command could not be handed to the shell: ${error.reason}`, {
      hint: error.hint,
      cause: error,
    })
  }
}
