/**
 * Makes a release in `dist/release`: `npm run release -- [--out DIRECTORY] [--static]`.
 *
 * Two runs on one commit give the same bytes, in whatever directory and at whatever time, as long
 * as binutils, gzip's library and qemu are the same.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { createGzip } from 'node:zlib'
import { bundle, bundleWhole } from './bundle.mjs'
import { renderLicences } from './licences.mjs'
import { ARCHITECTURES, findEmulator, findStrip, isOwn } from './machine.mjs'
import { pack } from './pack.mjs'
import { findParts } from './parts.mjs'
import { packStatic } from './static.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

const RUN_LIMIT_MS = 60_000

async function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, 'dist', 'release') },
      static: { type: 'boolean', default: false },
    },
  })
  const out = resolve(values.out)
  checkTools()
  await mkdir(dirname(out), { recursive: true })
  const work = await mkdtemp(`${out}-`) // beside it: half a release is never there under its name
  try {
    const finished = join(work, 'release')
    await mkdir(finished)
    await makeRelease({ work, out: finished, isStatic: values.static })
    await rm(out, { recursive: true, force: true })
    await rename(finished, out)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  await describe(out)
}

/** Before minutes are spent: all that may be missing. */
function checkTools() {
  const missing = ARCHITECTURES.filter((arch) => findStrip(arch) === undefined)
  for (const arch of ARCHITECTURES.filter((name) => !isOwn(name))) findEmulator(arch)
  if (missing.length === 0) return
  throw new Error(
    `binutils for ${missing.join(' and ')} are missing; on Debian: apt-get install binutils binutils-aarch64-linux-gnu binutils-x86-64-linux-gnu`,
  )
}

async function makeRelease({ work, out, isStatic }) {
  const script = join(work, 'agent.cjs')
  const files = await bundle(root, script)
  const whole = join(work, 'whole.cjs')
  if (isStatic) await bundleWhole(root, whole)
  const parts = {}
  for (const arch of ARCHITECTURES) parts[arch] = await findParts(root, arch)
  const programs = Object.values(parts).flatMap(Object.values)
  await writeFile(join(out, 'LICENSES.txt'), await renderLicences(root, files, programs))
  for (const arch of ARCHITECTURES) {
    const output = join(out, `agent-linux-${arch}`)
    await pack({ script, parts: parts[arch], arch, output })
    await checkVersion(output, arch)
    if (!isStatic) continue
    await packStatic({ script: whole, arch, output: join(out, `agent-linuxstatic-${arch}`) })
  }
  await writeTexts(out)
  await writeFile(join(out, 'install.sh'), await installer())
  const binaries = (await readdir(out)).filter((name) => name.startsWith('agent-'))
  await Promise.all(binaries.map((name) => compress(join(out, name))))
  await writeFile(join(out, 'SHA256SUMS'), await checksums(out))
}

/** On this machine or under qemu: a binary that does not start is no release. */
async function checkVersion(binary, arch) {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const [program, ...args] = [...(isOwn(arch) ? [] : findEmulator(arch)), binary, 'version']
  const found = await run(program, args)
  if (found !== `${version}\n`) throw new Error(`${binary} says it is ${found}, not ${version}`)
}

/** Knows where the release will be, if that is known here: by the variable that it reads itself. */
async function installer() {
  const { AGENT_DOWNLOAD_URL = '' } = process.env
  const text = await readFile(join(root, 'lib', 'release', 'install.sh'), 'utf8')
  return text.replace("default_url=''", `default_url='${AGENT_DOWNLOAD_URL}'`)
}

/** What the binary itself can tell: completion scripts and the manual page, dated by the commit. */
async function writeTexts(out) {
  const binary = join(out, `agent-linux-${process.arch}`)
  const texts = {
    'agent.bash': ['completion', 'bash'],
    _agent: ['completion', 'zsh'],
    'agent.fish': ['completion', 'fish'],
    'agent.1': ['man-page'],
  }
  const environment = { ...process.env, SOURCE_DATE_EPOCH: await commitTime() }
  for (const [name, args] of Object.entries(texts)) {
    await writeFile(join(out, name), await run(binary, args, environment))
  }
}

/** Seconds; outside a repository it has to be given. @see https://reproducible-builds.org/specs/source-date-epoch/ */
async function commitTime() {
  const { SOURCE_DATE_EPOCH } = process.env
  if (SOURCE_DATE_EPOCH) return SOURCE_DATE_EPOCH
  return (await run('git', ['-C', root, 'log', '-1', '--format=%ct'])).trim()
}

/** Two fifths of the size; a header without time and name. */
async function compress(path) {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`))
}

/** As `sha256sum --check` reads them. */
async function checksums(directory) {
  const lines = (await readdir(directory)).sort().map(async (name) => {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(directory, name)), hash)
    return `${hash.digest('hex')}  ${name}\n`
  })
  return (await Promise.all(lines)).join('')
}

async function describe(directory) {
  console.log(`Made ${directory}`)
  for (const name of (await readdir(directory)).sort()) {
    const { size } = await stat(join(directory, name))
    console.log(`${(size / 1e6).toFixed(1).padStart(8)} MB  ${name}`)
  }
}

async function run(program, args, env = process.env) {
  const { stdout } = await promisify(execFile)(program, args, { env, timeout: RUN_LIMIT_MS })
  return stdout
}

await main()
