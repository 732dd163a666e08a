/**
 * The machines a binary is made for, and what it takes to make one for another machine than this.
 *
 * @module
 */

import { accessSync, constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** What the GNU tools and qemu call the machines that Node calls `x64` and `arm64`. */
const GNU_NAMES = { x64: 'x86_64', arm64: 'aarch64' }

/** By Node's names for them. */
export const ARCHITECTURES = Object.keys(GNU_NAMES)

/** @returns the program that strips binaries for the machine; undefined when this one lacks it */
export function findStrip(arch) {
  return findProgram(isOwn(arch) ? 'strip' : `${GNU_NAMES[arch]}-linux-gnu-strip`)
}

/**
 * Writes a program that runs a Node for the given machine here.
 *
 * With a fixed seed for V8's hash tables, as the order of what it keeps in a code cache depends on
 * them: two builds would never be the same. Nothing of the seed is left in the agent that runs.
 *
 * @param {string} path of the program to write
 * @throws {Error} naming what is missing
 */
export async function writeNodeRunner(path, node, arch) {
  const emulator = isOwn(arch) ? [] : findEmulator(arch)
  const words = [...emulator, node, '--random-seed=1'].map((word) => `'${word}'`)
  await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
}

/** @returns words that stand before a program for the machine to run it here */
export function findEmulator(arch) {
  const name = GNU_NAMES[arch]
  const qemu = findProgram(`qemu-${name}-static`)
  const libraries = `/usr/${name}-linux-gnu`
  if (qemu === undefined || !isReadable(join(libraries, 'lib', 'libstdc++.so.6'))) {
    const debian = { x64: 'amd64', arm64: 'arm64' }[arch]
    throw new Error(
      `A binary for ${arch} needs qemu and that machine's libraries here; on Debian: apt-get install qemu-user-static libc6-${debian}-cross libstdc++6-${debian}-cross`,
    )
  }
  return [qemu, '-L', libraries]
}

export function isOwn(arch) {
  return arch === process.arch
}

function findProgram(name) {
  const directories = (process.env.PATH ?? '').split(delimiter)
  return directories.map((directory) => join(directory, name)).find(isExecutable)
}

function isExecutable(path) {
  return isAccessible(path, constants.X_OK)
}

function isReadable(path) {
  return isAccessible(path, constants.R_OK)
}

function isAccessible(path, mode) {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false // absent, or not ours to use: that is the question
  }
}
