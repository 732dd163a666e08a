/**
 * Builds `dist/agent`: esbuild bundles the sources into one script, pkg puts the script and the
 * terminal addon into a copy of Node 24. Does nothing when no input has changed since. The bytes
 * are those of the release for this machine.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './lib/release/bundle.mjs'
import { pack } from './lib/release/pack.mjs'
import { findParts } from './lib/release/parts.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))
const dist = join(root, 'dist')
const binary = join(dist, 'agent')
/** Holds the hash of what `dist/agent` was made from. */
const stamp = join(dist, 'agent.inputs')

/** Everything that shapes the binary: the lock file stands for the packages, Node among them. */
const INPUTS = ['agent.ts', 'lib', 'build.mjs', 'package.json', 'package-lock.json']

async function main() {
  const started = Date.now()
  const inputs = await hashInputs()
  if (await isCurrent(inputs)) return console.log('dist/agent is up to date')

  await mkdir(dist, { recursive: true })
  // Beside the target, so that the rename is atomic: an agent that runs keeps its old file.
  const work = await mkdtemp(join(dist, 'build-'))
  try {
    const script = join(work, 'agent.cjs')
    await bundle(root, script)
    const { arch } = process
    const parts = await findParts(root, arch)
    await pack({ script, parts, arch, output: join(work, 'agent') })
    await rename(join(work, 'agent'), binary)
    await writeFile(stamp, inputs)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  const { size } = await stat(binary)
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  console.log(`Built dist/agent (${Math.round(size / 1e6)} MB) in ${seconds} s`)
}

async function hashInputs() {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}\n`)
  for (const path of (await Promise.all(INPUTS.map(filesUnder))).flat().sort()) {
    const content = await readFile(path)
    hash.update(`${relative(root, path)} ${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}

async function filesUnder(name) {
  const path = join(root, name)
  if (!(await stat(path)).isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name))
}

async function isCurrent(inputs) {
  try {
    await stat(binary)
    return (await readFile(stamp, 'utf8')) === inputs
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}

await main()
