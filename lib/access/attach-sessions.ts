/**
 * The attach sessions of a job: each has a file in the directory by which the job is registered.
 *
 * @module
 */

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive } from '../host/processes.ts'

export interface AttachSession {
  readonly pid: number
  /** The session has not ended. */
  readonly isOpen: boolean
}

const PREFIX = 'session-'

/** Registers the process of a new session. Rejects when the job is over. */
export async function addAttachSession(directory: string, pid: number): Promise<void> {
  const file = attachSessionFile(directory, pid)
  await writeFile(file, '', { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error // an earlier session had the same pid
  })
}

/** Also written by the jump point of a job on the host, which is a script. */
export function attachSessionFile(directory: string, pid: number | string): string {
  return join(directory, `${PREFIX}${pid}`)
}

/** All sessions so far, open or ended. */
export async function listAttachSessions(directory: string): Promise<AttachSession[]> {
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => Number(name.slice(PREFIX.length)))
    .map((pid) => ({ pid, isOpen: isAlive({ pid }) }))
}
