/**
 * Who may ask the agent from within a job's main container, and what each may do there.
 *
 * Who asks is proven by the FIFO they ask through: `asks/UID` can be written to by that user and by
 * root alone. Nothing that a client says of itself is believed.
 *
 * - Root may do everything, as in the container itself.
 * - The job's own user has the engine's help, which moves files as root: it is asked for after a
 *   look at what that user could have done. One who exchanges a directory between the two gains
 *   root in its own container, which the engine's socket in there gives as well.
 * - Everybody else has their own programs do it: see {@link UserFiles}.
 *
 * @module
 */

import type { FileOwner, JobFiles } from '../../cache/job-files.ts'
import { putArchive } from '../../docker/archive.ts'
import type { DockerClient } from '../../docker/client.ts'
import { findUser } from './container-user.ts'
import { ContainerFiles } from './job-files.ts'
import { UserFiles } from './user-files.ts'

export interface ToolboxClient {
  readonly owner: FileOwner
  readonly files: JobFiles
}

export interface ToolboxClientsOptions {
  readonly docker: DockerClient
  readonly containerId: string
  /** Of the toolbox, in the container. */
  readonly directory: string
  /** Of the job's shell. */
  readonly user: FileOwner
}

/** Of one job; each costs a program that waits in the container. */
const MAX_CLIENTS = 16

export class ToolboxClients {
  readonly #options: ToolboxClientsOptions
  readonly #known = new Map<number, Promise<ToolboxClient>>()

  constructor(options: ToolboxClientsOptions) {
    const { docker, containerId } = options
    this.#options = options
    const files = new ContainerFiles({ docker, containerId, user: undefined })
    this.#known.set(0, Promise.resolve({ owner: { uid: 0, gid: 0 }, files }))
  }

  /** Those who can ask by now; the job's user is always among them. */
  async all(signal: AbortSignal): Promise<readonly ToolboxClient[]> {
    await this.admit(this.#options.user.uid, signal)
    const settled = await Promise.allSettled(this.#known.values())
    return settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  }

  /** @returns undefined when there are too many already */
  async admit(uid: number, signal: AbortSignal): Promise<ToolboxClient | undefined> {
    const known = this.#known.get(uid)
    if (known !== undefined || this.#known.size >= MAX_CLIENTS) return await known
    const client = this.#open(uid, signal)
    this.#known.set(uid, client)
    client.catch(() => this.#known.delete(uid))
    return await client
  }

  async #open(uid: number, signal: AbortSignal): Promise<ToolboxClient> {
    const { docker, containerId, directory, user: own } = this.#options
    const isOwn = uid === own.uid
    const user = await findUser(docker, containerId, isOwn ? own : { uid }, signal)
    const { gid } = user
    const fifo = { path: `${directory}/asks/${uid}`, fifo: true, mode: 0o600, uid, gid } as const
    await putArchive(docker, containerId, [fifo], signal)
    const where = { docker, containerId, user }
    return {
      owner: { uid, gid },
      files: isOwn ? new ContainerFiles(where) : new UserFiles(where),
    }
  }
}
