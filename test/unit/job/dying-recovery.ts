/**
 * Recovers the recorded jobs of a directory, and dies right before a change to the machine:
 * `node dying-recovery.ts DIRECTORY CHANGE`. Exits with 0 when there are fewer changes than that.
 */

import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'

type Call = (...args: never[]) => unknown

const FILE_CHANGES = [
  'appendFile',
  'mkdir',
  'rename',
  'rm',
  'rmdir',
  'unlink',
  'writeFile',
] as const
const HANDLE_CHANGES = ['appendFile', 'truncate', 'write', 'writeFile', 'writev'] as const

const [directory = '', change = ''] = process.argv.slice(2)
const kill = process.kill.bind(process)
let changes = 0

function dieInTime(): void {
  changes += 1
  if (changes === Number(change)) kill(process.pid, 'SIGKILL')
}

function countCalls<T extends object>(object: T, names: readonly (keyof T)[]): void {
  for (const name of names) {
    const original = (object[name] as Call).bind(object)
    Object.assign(object, {
      [name]: (...args: never[]) => {
        dieInTime()
        return original(...args)
      },
    })
  }
}

countCalls(fs, FILE_CHANGES)
countCalls(process, ['kill'])
const open = fs.open.bind(fs)
fs.open = async (...args): Promise<FileHandle> => {
  const handle = await open(...args)
  countCalls(handle, HANDLE_CHANGES)
  return handle
}
syncBuiltinESMExports()

const { recoverAll } = await import('./recover-all.ts') // binds to the functions above
await recoverAll(directory)
