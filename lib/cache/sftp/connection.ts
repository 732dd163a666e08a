/**
 * One connection to an SFTP server, from its first byte to its loss. Alone knows ssh2.
 *
 * @module
 */

import ssh2, {
  type Client,
  type FileEntryWithStats,
  type ServerHostKeyAlgorithm,
  type SFTPWrapper,
  type Stats,
} from 'ssh2'
import { onAbort } from '../../async/abort.ts'
import { CacheError } from '../../errors.ts'
import { ConnectionLostError, nameOf } from './error.ts'
import { type KnownKey, knownKeys } from './known-hosts.ts'
import type { SftpSettings } from './settings.ts'

/** To the end of the log-in. */
const CONNECT_TIMEOUT_MS = 20_000

/** A server that answers none of four is gone. */
const KEEPALIVE_MS = 15_000
const KEEPALIVES = 4

/** For a server that lives while its disk does not. */
const ANSWER_TIMEOUT_MS = 120_000

const CLOSE_TIMEOUT_MS = 2_000

/** Reports to `done` as ssh2's calls do. */
type Ask<T> = (sftp: SFTPWrapper, done: (error: Error | null | undefined, value: T) => void) => void

export interface DiskSpace {
  readonly f_frsize: number
  readonly f_bavail: number
}

export class SftpConnection {
  readonly #client: Client
  readonly #sftp: SFTPWrapper
  readonly #handles = new Map<string, Promise<Buffer>>()
  readonly #waiting = new Set<(error: Error) => void>()
  #loss: ConnectionLostError | undefined

  /**
   * @param onLost called once, also after {@link end}
   * @param signal ends the attempt, not the connection
   * @throws {CacheError} when the server or the key is no use
   * @throws {ConnectionLostError} when there is no connection
   */
  static async connect(
    settings: SftpSettings,
    onLost: () => void,
    signal: AbortSignal,
  ): Promise<SftpConnection> {
    checkKey(settings)
    const client = new ssh2.Client()
    using _ = onAbort(signal, () => client.destroy())
    try {
      await logIn(client, settings)
      return new SftpConnection(client, await startSftp(client, settings), onLost)
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  private constructor(client: Client, sftp: SFTPWrapper, onLost: () => void) {
    this.#client = client
    this.#sftp = sftp
    const lose = (reason: string) => {
      if (this.#loss !== undefined) return
      this.#loss = new ConnectionLostError(reason)
      for (const reject of this.#waiting) reject(this.#loss)
      client.destroy()
      onLost()
    }
    client.on('error', (error) => lose(error.message))
    client.on('close', () => lose('the connection was closed'))
    sftp.on('error', (error: Error) => lose(error.message))
    sftp.on('close', () => lose('the server ended the session'))
    this.lose = lose
  }

  /** Takes the connection for lost. */
  readonly lose: (reason: string) => void

  async list(): Promise<FileEntryWithStats[]> {
    return await this.#call((sftp, done) => sftp.readdir('.', done))
  }

  async stat(name: string): Promise<Stats> {
    return await this.#call((sftp, done) => sftp.stat(name, done))
  }

  /** An empty file, whatever was there. */
  async create(name: string): Promise<void> {
    const options = { mode: 0o600 }
    const handle = await this.#call<Buffer>((sftp, done) => sftp.open(name, 'w', options, done))
    this.#handles.set(name, Promise.resolve(handle))
  }

  async write(name: string, bytes: Buffer, position: number): Promise<void> {
    const handle = await this.#handle(name, 'r+')
    await this.#call<void>((sftp, done) =>
      sftp.write(handle, bytes, 0, bytes.length, position, (error) => done(error)),
    )
  }

  /** @returns as many bytes as asked for, fewer at the end of the file */
  async read(name: string, position: number, length: number): Promise<Buffer> {
    const handle = await this.#handle(name, 'r')
    const bytes = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const got = await this.#call<number>((sftp, done) =>
        sftp.read(handle, bytes, filled, length - filled, position + filled, done),
      )
      if (got === 0) break
      filled += got
    }
    return bytes.subarray(0, filled)
  }

  /** To the disk, where the server can; then the file is closed. */
  async finish(name: string): Promise<void> {
    const handle = await this.#handle(name, 'r+')
    if (this.#offers('fsync@openssh.com')) {
      await this.#call<void>((sftp, done) => sftp.ext_openssh_fsync(handle, done))
    }
    this.#handles.delete(name)
    await this.#call<void>((sftp, done) => sftp.close(handle, done))
  }

  /** Fails where the new name is taken: that is how version 3 of the protocol has it. */
  async rename(from: string, to: string): Promise<void> {
    await this.#call<void>((sftp, done) => sftp.rename(from, to, done))
  }

  /** Closed first: a disk keeps the room of a file as long as somebody has it open. */
  async remove(name: string): Promise<void> {
    const opened = this.#handles.get(name)
    this.#handles.delete(name)
    const handle = await opened?.catch(() => undefined)
    if (handle !== undefined) await this.#call<void>((sftp, done) => sftp.close(handle, done))
    await this.#call<void>((sftp, done) => sftp.unlink(name, done))
  }

  /** Times in seconds. */
  async setTimes(name: string, usedAt: number, storedAt: number): Promise<void> {
    await this.#call<void>((sftp, done) => sftp.utimes(name, usedAt, storedAt, done))
  }

  /** @returns undefined when the server does not say */
  async space(): Promise<DiskSpace | undefined> {
    if (!this.#offers('statvfs@openssh.com')) return undefined
    return await this.#call<DiskSpace>((sftp, done) =>
      sftp.ext_openssh_statvfs('.', (error, info) => done(error, info as unknown as DiskSpace)),
    )
  }

  async end(): Promise<void> {
    if (this.#loss !== undefined) return
    const closed = new Promise<void>((resolve) => this.#client.once('close', () => resolve()))
    const limit = setTimeout(() => this.#client.destroy(), CLOSE_TIMEOUT_MS)
    this.#client.end()
    await closed
    clearTimeout(limit)
  }

  #handle(name: string, flags: 'r' | 'r+'): Promise<Buffer> {
    const known = this.#handles.get(name)
    if (known !== undefined) return known
    const opened = this.#call<Buffer>((sftp, done) => sftp.open(name, flags, done))
    opened.catch(() => this.#handles.delete(name))
    this.#handles.set(name, opened)
    return opened
  }

  /** Not in the types: on upgrade of ssh2, check. Without it an extension would have to be tried. */
  #offers(extension: string): boolean {
    const { _extensions: offered } = this.#sftp as unknown as {
      _extensions?: Readonly<Record<string, string>>
    }
    return offered?.[extension] !== undefined
  }

  #call<T>(ask: Ask<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#loss !== undefined) return reject(this.#loss)
      const limit = setTimeout(() => this.lose('the server does not answer'), ANSWER_TIMEOUT_MS)
      const settle = () => {
        clearTimeout(limit)
        this.#waiting.delete(fail)
      }
      const fail = (error: Error) => {
        settle()
        reject(error)
      }
      this.#waiting.add(fail)
      ask(this.#sftp, (error, value) => {
        settle()
        if (!error) resolve(value)
        // Only answers of the server have a status.
        else if (typeof (error as { code?: unknown }).code === 'number') reject(error)
        else reject(this.#loss ?? new ConnectionLostError(error.message))
      })
    })
  }
}

function checkKey({ privateKey, privateKeyPath }: SftpSettings): void {
  const parsed = ssh2.utils.parseKey(privateKey)
  if (!(parsed instanceof Error)) return
  const isEncrypted = /encrypted/i.test(parsed.message)
  throw new CacheError(
    `The SSH key ${privateKeyPath} ${isEncrypted ? 'is protected with a passphrase' : 'is not a private key in a known format'}`,
    { hint: 'Give the job a private key without passphrase, as ssh-keygen writes it.' },
  )
}

async function logIn(client: Client, settings: SftpSettings): Promise<void> {
  const { host, port, username, privateKey, privateKeyPath, knownHosts } = settings
  const known = await knownKeys(knownHosts, host, port)
  let isForeign = false
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    // Else each small request waits 40 ms for the acknowledgement of the one before.
    client.once('connect', () => client.setNoDelay(true))
    client.once('close', () => reject(new ConnectionLostError('the connection was closed')))
    client.on('error', (error: Error & { level?: string }) => {
      if (isForeign) return reject(foreignHost(settings))
      if (error.level !== 'client-authentication') {
        return reject(new ConnectionLostError(error.message || 'no connection', { cause: error }))
      }
      reject(
        new CacheError(`${nameOf(settings)} rejects user '${username}' with this key`, {
          hint: `Add the public half of ${privateKeyPath} to the user's authorized_keys there, or correct SEMAPHORE_CACHE_USERNAME or SEMAPHORE_CACHE_PRIVATE_KEY_PATH.`,
          cause: error,
        }),
      )
    })
    client.connect({
      host,
      port,
      username,
      privateKey,
      readyTimeout: CONNECT_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVES,
      ...(known.length === 0 ? {} : { algorithms: { serverHostKey: algorithmsOf(known) } }),
      hostVerifier: (shown: Buffer) => {
        isForeign = known.length > 0 && !known.some(({ key }) => key === shown.toString('base64'))
        return !isForeign
      },
    })
  })
}

/** A server has keys of several types, and is to show one that is known. */
function algorithmsOf(known: readonly KnownKey[]): ServerHostKeyAlgorithm[] {
  const types = known.flatMap(({ type }) =>
    type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type],
  )
  return [...new Set(types)] as ServerHostKeyAlgorithm[]
}

function foreignHost(settings: SftpSettings): CacheError {
  return new CacheError(
    `${nameOf(settings)} presents another host key than the one in known_hosts`,
    {
      hint: "If the server was reinstalled, correct its line in the job's ~/.ssh/known_hosts; if not, another machine is answering in its place.",
    },
  )
}

async function startSftp(client: Client, settings: SftpSettings): Promise<SFTPWrapper> {
  return await new Promise<SFTPWrapper>((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new ConnectionLostError('the server does not answer')),
      CONNECT_TIMEOUT_MS,
    )
    client.once('close', () => reject(new ConnectionLostError('the connection was closed')))
    client.sftp((error, sftp) => {
      clearTimeout(limit)
      if (!error) return resolve(sftp)
      reject(
        new CacheError(`${nameOf(settings)} does not offer SFTP: ${error.message}`, {
          hint: 'Enable the subsystem sftp on the server.',
          cause: error,
        }),
      )
    })
  })
}
