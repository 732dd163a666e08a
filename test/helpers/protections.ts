/**
 * What the kernel itself does against another user's links, files and FIFOs in directories open to
 * all. Usual hosts have it on, some off: the agent has to be safe on both.
 *
 * It is the whole machine's. The values that were there are noted on the disk, so that the runner
 * restores them after a test that was killed, and the next runner after this one was.
 *
 * @module
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Test } from 'uvu'

type State = 'off' | 'on'

/** @see man 5 proc_sys_fs */
const STRICTEST = {
  protected_fifos: '2',
  protected_hardlinks: '1',
  protected_regular: '2',
  protected_symlinks: '1',
}

type Name = keyof typeof STRICTEST

const NAMES = Object.keys(STRICTEST) as Name[]

const NOTE = '/run/agent-test-protections.json'

/** @returns what adds a test twice, once for a host of either kind; worth it where a directory is open to all */
export function onEveryHost<Context>(test: Test<Context>): (...args: TestArgs<Context>) => void {
  return (title, step) => {
    for (const state of ['off', 'on'] as const) {
      test(`${title} (fs.protected_* ${state})`, async (context) => {
        setProtections(state)
        try {
          await step(context)
        } finally {
          restoreProtections()
        }
      })
    }
  }
}

type TestArgs<Context> = [title: string, step: (context: Context) => Promise<void>]

/** @throws {Error} where this machine lets nobody set them: then nothing is shown of the other kind of host */
function setProtections(state: State): void {
  restoreProtections() // a test of a run that was killed has left them
  const earlier = NAMES.map((name) => [name, readFileSync(pathOf(name), 'utf8').trim()])
  writeFileSync(NOTE, JSON.stringify(Object.fromEntries(earlier)), { flag: 'wx' })
  for (const name of NAMES) write(name, state === 'on' ? STRICTEST[name] : '0')
}

/** To what they were before a test; does nothing when they are. */
export function restoreProtections(): void {
  const noted = readNote()
  if (noted === undefined) return
  for (const name of NAMES) write(name, noted[name])
  rmSync(NOTE)
}

function readNote(): Record<Name, string> | undefined {
  try {
    return JSON.parse(readFileSync(NOTE, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function write(name: Name, value: string): void {
  try {
    writeFileSync(pathOf(name), value)
  } catch (cause) {
    throw new Error(
      `fs.${name} cannot be set to ${value}: the tests about other users need a machine, or a privileged container, in which root may write to /proc/sys/fs`,
      { cause },
    )
  }
}

const pathOf = (name: Name): string => `/proc/sys/fs/${name}`
