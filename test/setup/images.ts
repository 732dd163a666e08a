/**
 * The images the tests run jobs in, made on the spot and kept in the engine between runs: nothing
 * is pulled from anywhere.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { callEngine } from './engine.ts'
import { run } from './run.ts'

const BUILD_LIMIT_MS = 300_000

/** Name → what writes its root file system into a tar. */
const IMAGES: Readonly<Record<string, (tar: string) => Promise<void>>> = {
  'agent-test/debian': (tar) => bootstrap('bookworm', 'bash,ca-certificates,git', tar),
  /** bash 5.1, whose `read -t` does not wait on a terminal that answers at once. */
  'agent-test/old-bash': (tar) => bootstrap('bullseye', 'bash', tar),
  /** bash, what it loads, and nothing else: no stty, no cat, no ls. */
  'agent-test/bare': packBareBash,
}

export async function ensureImages(): Promise<void> {
  for (const [name, make] of Object.entries(IMAGES)) {
    const { status } = await callEngine('GET', `/images/${name}:latest/json`)
    if (status !== 200) await makeImage(name, make)
  }
}

async function makeImage(name: string, make: (tar: string) => Promise<void>): Promise<void> {
  console.log(`Making image ${name}`)
  const directory = await mkdtemp(join(tmpdir(), 'image-'))
  try {
    const tar = join(directory, 'root.tar')
    await make(tar)
    const path = `/images/create?fromSrc=-&repo=${encodeURIComponent(name)}&tag=latest`
    const { status, text } = await callEngine('POST', path, createReadStream(tar))
    if (status !== 200 || text.includes('"error"')) {
      throw new Error(`The engine did not take image ${name}: ${text}`)
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function bootstrap(suite: string, packages: string, tar: string): Promise<void> {
  const args = ['--variant=essential', `--include=${packages}`, suite, tar, await findMirror()]
  await run('mmdebstrap', args, { limitMs: BUILD_LIMIT_MS })
}

/** The one this machine's own packages come from. */
async function findMirror(): Promise<string> {
  const listing = await run('apt-get', ['indextargets', '--format', '$(SITE) $(CODENAME)'], {
    limitMs: BUILD_LIMIT_MS,
  })
  const sites = listing.split('\n').map((line) => line.split(' '))
  const site = sites.find(([, codename]) => codename === 'bookworm')?.[0]
  if (site === undefined) {
    throw new Error('apt knows no Debian bookworm mirror: the images are made from its packages.')
  }
  return site
}

async function packBareBash(tar: string): Promise<void> {
  const root = join(dirname(tar), 'root')
  const libraries = await run('ldd', ['/bin/bash'], { limitMs: BUILD_LIMIT_MS })
  const paths = libraries.match(/\/\S+/g) ?? []
  for (const path of ['/bin/bash', ...paths]) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
  await symlink('bash', join(root, 'bin', 'sh'))
  await mkdir(join(root, 'tmp'), { mode: 0o1777 })
  await run('tar', ['-C', root, '-cf', tar, '.'], { limitMs: BUILD_LIMIT_MS })
}
