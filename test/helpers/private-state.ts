/**
 * A mount namespace in which root's notes of running jobs are a test's own: else an agent of another
 * test finds a job whose agent was killed here, and ends it.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface PrivateState {
  /** What runs an agent in there. */
  readonly prefix: readonly string[]
  close(): Promise<void>
}

const SHARED = '/var/lib/agent'

const HOLD = `set -e; mkdir -p ${SHARED}; mount --bind "$1" ${SHARED}; echo ready; exec sleep 1000`

export async function openPrivateState(): Promise<PrivateState> {
  const directory = await mkdtemp(join(tmpdir(), 'state-'))
  const holder = spawn('unshare', ['--mount', 'bash', '-c', HOLD, '-', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => holder.once('close', resolve))
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve())
    void ended.then(() => reject(new Error(`nothing can be mounted over ${SHARED}`)))
  })
  return {
    prefix: ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, `--wd=${process.cwd()}`],
    async close() {
      holder.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}
