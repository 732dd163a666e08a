/**
 * The packages that come as programs for one machine: Node and the terminal addon. npm installs
 * those of this machine only; others are fetched by the version and checksum of the lock file.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FETCH_LIMIT_MS = 600_000

/**
 * @param {string} root of the project
 * @param {'arm64' | 'x64'} arch
 * @returns directories of the two packages
 */
export async function findParts(root, arch) {
  const [node, terminal] = await Promise.all(
    [`node-linux-${arch}`, `@lydell/node-pty-linux-${arch}`].map((name) => find(root, name)),
  )
  return { node, terminal }
}

async function find(root, name) {
  const installed = join(root, 'node_modules', name)
  if (existsSync(join(installed, 'package.json'))) return installed
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  const { version, integrity } = packages[`node_modules/${name}`]
  const directory = join(root, 'node_modules', '.cache', 'agent-release', `${name}-${version}`)
  if (!existsSync(directory)) await fetch(`${name}@${version}`, integrity, directory)
  return directory
}

/** @throws {Error} when the registry does not answer, or gives something else than was locked */
async function fetch(specifier, integrity, directory) {
  console.log(`Fetching ${specifier}`)
  const parent = join(directory, '..')
  await mkdir(parent, { recursive: true })
  const work = await mkdtemp(join(parent, 'fetch-'))
  try {
    const args = ['pack', specifier, '--json', '--loglevel=error', '--pack-destination', work]
    const [{ filename }] = JSON.parse(await run('npm', args))
    const archive = join(work, filename)
    const found = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64')
    if (integrity !== `sha512-${found}`) {
      throw new Error(`${specifier} is not what package-lock.json has: its checksum differs`)
    }
    await run('tar', ['-xzf', archive, '-C', work])
    await rename(join(work, 'package'), directory)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function run(program, args) {
  const { stdout } = await promisify(execFile)(program, args, {
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }, // npm's stays in the temporary directory
    timeout: FETCH_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}
