/**
 * Builds `dist/agent`: esbuild bundles the sources into one script, pkg puts the script and the
 * terminal addon into a copy of Node 24. Does nothing when no input has changed since.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
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
    await bundle(join(work, 'agent.cjs'))
    const node = await stripped(require.resolve(`node-linux-${process.arch}/bin/node`), work)
    await pack(join(work, 'agent.cjs'), node, join(work, 'agent'))
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
    .filter((entry) => entry.isFile())
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

/** One CommonJS script: modules behind `await import()` are in it, and run when first asked for. */
async function bundle(outfile) {
  await build({
    entryPoints: [join(root, 'agent.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: true,
    keepNames: true, // error names and stack traces stay readable
    legalComments: 'none',
    // Native helpers that ssh2 tries and does without: in one file there is no place for them.
    external: ['cpu-features', '*.node'],
    logLevel: 'warning',
    plugins: [leanPackages],
  })
}

/**
 * What packages load and the agent never uses: undici's index runs all of its fetch, mocks, caches
 * and interceptors (half of a job's first call to the engine), Hono's server all of HTTP/2.
 */
const leanPackages = {
  name: 'lean packages',
  setup(build) {
    build.onResolve({ filter: /^\.\/lib\/(cache|interceptor|mock|web)\// }, ({ importer, path }) =>
      importer.endsWith('/undici/index.js') ? { path, namespace: 'unused' } : undefined,
    )
    build.onResolve({ filter: /^(node:)?http2$/ }, ({ importer, path }) =>
      importer.includes('/@hono/node-server/') ? { path, namespace: 'unused' } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({
      contents: path.endsWith('http2') ? NO_HTTP2 : UNUSED,
      loader: 'js',
    }))
  },
}

/** No request ever comes over it. */
const NO_HTTP2 = 'module.exports = { Http2ServerRequest: class {}, constants: {} }'

/** Whatever is taken out of it is a class, so that it can be extended and exported. */
const UNUSED = `module.exports = new Proxy(class {}, { get: () => class {} })`

/** Node without its symbol table: 18 MB less. A machine without binutils keeps it. */
async function stripped(node, work) {
  const copy = join(work, 'node')
  await copyFile(node, copy)
  try {
    await promisify(execFile)('strip', ['--strip-all', copy], { timeout: 60_000 })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return copy
}

async function pack(script, nodePath, output) {
  const { default: sea } = require('@yao-pkg/pkg/lib-es5/sea.js')
  await sea(script, {
    nodePath,
    targets: [{ nodeRange: 'node24', platform: 'linux', arch: process.arch, output }],
    seaConfig: {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      // A NODE_OPTIONS meant for the host's own Node must not change or break the agent.
      execArgvExtension: 'none',
      // Keeps memory flat under a flood of output: 1 GB of log cost 37 MB more than 10 MB did,
      // now 2 MB. What a library does that Node no longer likes is nothing for a user's terminal:
      // node-statsd calls `new Buffer`.
      execArgv: ['--max-semi-space-size=4', '--no-deprecation'],
      assets: {
        'pty.node': require.resolve(`@lydell/node-pty-linux-${process.arch}/pty.node`),
      },
    },
  })
}

await main()
