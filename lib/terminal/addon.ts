/**
 * The native addon that opens a pseudo-terminal. It travels inside the binary as an asset, since a
 * shared library can only be loaded from a file.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'

/** What of node-pty's addon is used here, beside its JavaScript: on upgrade, check the arguments. @see https://github.com/microsoft/node-pty/blob/main/src/unix/pty.cc */
export interface PtyAddon {
  fork(
    file: string,
    args: readonly string[],
    environment: readonly string[],
    directory: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number; readonly pty: string }

  /** A terminal without a program. Both ends are inherited by what is started later. */
  open(
    columns: number,
    rows: number,
  ): { readonly master: number; readonly slave: number; readonly pty: string }
}

/** Directories to load from, in turn: any of them may be mounted `noexec` or read-only. */
const DIRECTORIES = [tmpdir, () => '/dev/shm', () => '/var/tmp', homedir]

let loaded: PtyAddon | undefined

/**
 * Once in a process: each load from another file is mapped again, and never released.
 *
 * @throws {AggregateError} when the addon loads from no directory, e.g. in a static binary
 */
export function loadPtyAddon(): PtyAddon {
  loaded ??= findAddon()
  return loaded
}

function findAddon(): PtyAddon {
  if (!isSea()) return load(unbundledPath())
  const asset = Buffer.from(getRawAsset('pty.node'))
  const errors: unknown[] = []
  for (const directory of DIRECTORIES) {
    try {
      return loadFrom(directory(), asset)
    } catch (error) {
      errors.push(error)
    }
  }
  throw new AggregateError(errors, 'the terminal addon could be loaded from no directory')
}

/** Once mapped, the file is not needed any more: nothing stays behind, not even after a crash. */
function loadFrom(directory: string, asset: Buffer): PtyAddon {
  const own = mkdtempSync(join(directory, 'agent-'))
  try {
    const path = join(own, 'pty.node')
    writeFileSync(path, asset, { mode: 0o700 })
    return load(path)
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}

function load(path: string): PtyAddon {
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports as PtyAddon
}

/** In tests the sources run as they are, from the project's directory. */
function unbundledPath(): string {
  const require = createRequire(join(process.cwd(), 'agent.ts'))
  return require.resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`)
}
