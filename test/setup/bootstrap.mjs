/**
 * Runs one of the project's scripts on the project's own Node: `node test/setup/bootstrap.mjs SCRIPT [ARG…]`.
 *
 * The machine's Node may be older than the sources need. Node 24 comes with the packages, so the
 * packages are installed first, unless what lies in `node_modules` is what the lock file asks for.
 * This file and its imports are all that has to run on Node 20.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ownNode = join(root, 'node_modules', '.bin', 'node')

/** Errors only: the machine's older Node makes npm warn about packages that never run on it. */
const INSTALL = ['ci', '--loglevel=error']

/**
 * npm writes `node_modules/.package-lock.json` last, so an interrupted install is not taken for a
 * finished one. Packages for other processors are in the lock file and rightly not installed.
 */
async function isInstalled() {
  const [wanted, found] = await Promise.all([
    readPackages('package-lock.json'),
    readPackages(join('node_modules', '.package-lock.json')),
  ])
  if (found === undefined) return false
  return Object.entries(wanted ?? {}).every(([path, { version, integrity, optional }]) => {
    const installed = found[path]
    if (path === '' || (installed === undefined && optional)) return true
    return installed?.version === version && installed?.integrity === integrity
  })
}

async function readPackages(path) {
  try {
    return JSON.parse(await readFile(join(root, path), 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`Cannot read ${path}; a fresh clone or "npm ci" repairs it`, { cause: error })
  }
}

/** Resolves with the exit code, 128 + signal for a process that was killed. */
function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' })
  const forward = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, forward)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

async function main([script, ...args]) {
  if (script === undefined) throw new Error('Usage: node test/setup/bootstrap.mjs SCRIPT [ARG…]')
  if (!(await isInstalled())) {
    console.log('Installing packages…')
    const code = await run('npm', INSTALL)
    if (code !== 0) return code
  }
  return run(ownNode, [join(root, script), ...args])
}

process.exitCode = await main(process.argv.slice(2))
