/**
 * Pulls that several jobs of this process want at the same time: one of them pulls, the others wait
 * for it.
 *
 * @module
 */

import { unlessAborted } from '../../../async/abort.ts'

/** `stopped`: the job that has pulled is over, and what it pulled is not there. */
type End = 'pulled' | 'stopped'

const running = new Map<string, Promise<End>>()

export interface SharedPull {
  /** The same for pulls that come to the same. */
  readonly key: string
  /** Of this job. */
  readonly signal: AbortSignal
  readonly pull: () => Promise<void>
  /** Called once when another job's pull is waited for. */
  readonly onWait: () => Promise<void> | void
}

/**
 * @returns whether this job has pulled itself
 * @throws what the pull has thrown, whoever's it was: another one would come to the same
 */
export async function pullShared({ key, signal, pull, onWait }: SharedPull): Promise<boolean> {
  let hasWaited = false
  for (;;) {
    const other = running.get(key)
    if (other === undefined) {
      await lead(key, signal, pull)
      return true
    }
    if (!hasWaited) await onWait()
    hasWaited = true
    if ((await unlessAborted(other, signal)) === 'pulled') return false
  }
}

async function lead(key: string, signal: AbortSignal, pull: () => Promise<void>): Promise<void> {
  const pulling = pull()
  const ended = pulling.then(
    (): End => 'pulled',
    (error: unknown): End => {
      if (signal.aborted) return 'stopped'
      throw error
    },
  )
  ended.catch(() => undefined) // for whoever waits
  running.set(key, ended)
  try {
    await pulling
  } finally {
    running.delete(key)
  }
}
