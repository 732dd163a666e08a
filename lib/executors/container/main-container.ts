/**
 * The container a job's shell lives in: started for the first session and again whenever the shell
 * has died, for the shell is its main process.
 *
 * @module
 */

import { putArchive } from '../../docker/archive.ts'
import type { DockerClient } from '../../docker/client.ts'
import { formatMemory, inspectContainer, startContainer } from '../../docker/containers.ts'
import { ranOutOfMemory } from '../../docker/events.ts'
import { Session } from '../../shell/session.ts'
import type { ArchiveEntry } from '../../tar/pack.ts'
import type { OnOutput, RunOptions, RunResult, StopPolicy } from '../executor.ts'
import { ContainerTerminal } from './container-terminal.ts'
import type { Staging } from './staging.ts'
import { killMainContainer, stopContainerJob } from './stop.ts'

/** An entrypoint may migrate a database first; one that waits for a keyboard never ends. */
const READY_TIMEOUT_MS = 60_000

const KILLED = 137

export class MainContainer {
  readonly id: string
  /** Its name in the job. */
  readonly #role: string
  readonly #docker: DockerClient
  readonly #staging: Pick<Staging, 'bootPath' | 'bootToken' | 'directory' | 'startPath'>
  /** Paths the agent has written. */
  readonly #written = new Set<string>()
  #session: Session | undefined

  constructor(
    docker: DockerClient,
    { id, role }: { readonly id: string; readonly role: string },
    staging: Pick<Staging, 'bootPath' | 'bootToken' | 'directory' | 'startPath'>,
  ) {
    this.#docker = docker
    this.id = id
    this.#role = role
    this.#staging = staging
  }

  /** Writes those of the entries that are not there yet: the agent's own files never change. */
  async write(entries: readonly ArchiveEntry[], signal?: AbortSignal): Promise<void> {
    const fresh = new Map(entries.map((entry) => [entry.path, entry]))
    for (const path of this.#written) fresh.delete(path)
    if (fresh.size === 0) return
    await putArchive(this.#docker, this.id, [...fresh.values()], signal)
    for (const path of fresh.keys()) this.#written.add(path)
  }

  /** The living session; none before the first {@link open}, and none after the shell's death. */
  get session(): Session | undefined {
    return this.#session?.closed ? undefined : this.#session
  }

  /**
   * Starts the container, and with it its shell.
   *
   * @throws {ShellError} when there is no shell ready within a minute
   * @throws {DockerRefusedError} when the engine cannot start it
   */
  async open({ signal, onOutput }: RunOptions): Promise<Session> {
    const terminal = await ContainerTerminal.attach(this.#docker, this.id, signal)
    try {
      await startContainer(this.#docker, this.id, this.#role)
      this.#session = await Session.open(terminal, {
        bootToken: this.#staging.bootToken,
        directory: this.#staging.directory,
        signal,
        onOutput,
        readyTimeoutMs: READY_TIMEOUT_MS,
      })
      return this.#session
    } catch (error) {
      terminal.close()
      throw error
    }
  }

  /** @param ended aborted when there is nothing left to wait for */
  async stop(policy: StopPolicy, ended: AbortSignal): Promise<void> {
    const target = { docker: this.#docker, containerId: this.id, staging: this.#staging }
    await stopContainerJob(target, policy, ended)
  }

  /** Ends at once all that runs in it. */
  async kill({ forceStop }: StopPolicy): Promise<void> {
    await killMainContainer(this.#docker, this.id, forceStop)
  }

  /**
   * Why a command or its shell was killed that nobody stopped, if that is known.
   *
   * @param since when the command was started
   */
  async explainKill(
    { exitCode, shellExited }: RunResult,
    since: Date,
    onOutput: OnOutput,
  ): Promise<void> {
    if (exitCode !== KILLED) return
    const { outOfMemory, memoryLimit } = await inspectContainer(this.#docker, this.id)
    const megabytes = formatMemory(memoryLimit)
    if (outOfMemory || (memoryLimit > 0 && (await this.#wasShortOfMemory(since)))) {
      const limit = memoryLimit === 0 ? '' : ` (its limit: ${megabytes})`
      const victim = shellExited ? 'its shell' : 'the command'
      return await onOutput(`The main container ran out of memory${limit}: ${victim} was killed.\n`)
    }
    // A busy engine may miss it when the container ends in the same moment.
    if (memoryLimit > 0 && shellExited) {
      await onOutput(
        `The shell was killed. It may have run out of memory: its limit is ${megabytes}.\n`,
      )
    }
  }

  close(): void {
    this.#session?.close()
  }

  /**
   * Of a container that still runs the engine's state says nothing about processes it has lost; of
   * one that has just ended, sometimes later than its events do.
   */
  async #wasShortOfMemory(since: Date): Promise<boolean> {
    if (await ranOutOfMemory(this.#docker, this.id, since)) return true
    return (await inspectContainer(this.#docker, this.id)).outOfMemory
  }
}
