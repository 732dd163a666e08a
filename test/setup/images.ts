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
import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { callEngine, type EngineAnswer } from './engine.ts'
import { run } from './run.ts'

const BUILD_LIMIT_MS = 300_000

/** Of package busybox-static: it needs no library. */
const BUSYBOX = '/bin/busybox'

/** Name → what writes its root file system into a tar. */
const IMAGES: Readonly<Record<string, (tar: string) => Promise<void>>> = {
  'agent-test/debian': (tar) => bootstrap('bookworm', 'bash,ca-certificates,git', tar),
  /** What a job needs that checks out and tests this project. */
  'agent-test/checkout': (tar) =>
    bootstrap('bookworm', 'bash,ca-certificates,git,libstdc++6,openssh-client', tar),
  /** Programs that paint the whole screen. */
  'agent-test/screen': (tar) => bootstrap('bookworm', 'bash,procps,vim-tiny', tar),
  /** bash 5.1, whose `read -t` does not wait on a terminal that answers at once. */
  'agent-test/old-bash': (tar) => bootstrap('bullseye', 'bash', tar),
  /** bash, what it loads, and nothing else: no stty, no cat, no ls. */
  'agent-test/bare': packBareBash,
  /** An image without bash. */
  'agent-test/no-bash': (tar) => packBusybox(tar),
  /** The programs of busybox alone, and the libraries that the agent needs: it is a Node. */
  'agent-test/busybox': async (tar) => packBusybox(tar, await librariesOf(process.execPath)),
  /** What a fresh Debian has to download with. */
  'agent-test/downloaders': (tar) =>
    bootstrap('bookworm', 'ca-certificates,curl,libstdc++6,wget', tar),
  /** A machine of its own, with systemd as its first process, and what its users' jobs do. */
  'agent-test/machine': (tar) => bootstrap('bookworm', MACHINE, tar),
  /** Servers, and the clients to ask them with. */
  'agent-test/servers': (tar) =>
    bootstrap('bookworm', 'bash,postgresql,redis-server', tar, SERVERS_HOOK),
  'agent-test/engines': (tar) => bootstrap('trixie', ENGINES, tar),
}

/** Engines, newer than this machine's and of another make. */
export const ENGINE_IMAGE = 'agent-test/engines'

const MACHINE =
  'bash,ca-certificates,dbus,libstdc++6,openssh-server,strace,sudo,systemd,systemd-sysv'

const ENGINES = 'bash,ca-certificates,docker.io,iptables,podman,netavark,aardvark-dns,runc'

/** What a package makes for a server that is never started, and what one can do without. */
const SERVERS_HOOK =
  'cd "$1" && rm -rf var/lib/postgresql/15/main usr/share/doc usr/share/locale usr/lib/*/libLLVM* usr/lib/*/libz3*'

export interface DerivedImage {
  readonly from: string
  /** As the lines of a Dockerfile. */
  readonly changes: readonly string[]
  /** Programs to add, by their paths. */
  readonly programs?: Readonly<Record<string, string | Buffer>>
  /** Of the container that it is made of, and its own. */
  readonly labels?: Readonly<Record<string, string>>
}

/** Images that differ from another in what they declare. */
const DERIVED: Readonly<Record<string, DerivedImage>> = {
  'agent-test/postgres': {
    from: 'agent-test/servers',
    changes: [
      'USER postgres',
      'ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data',
      `ENTRYPOINT ${JSON.stringify(['sh', '-c', 'initdb --auth=trust && echo host all all all trust >> $PGDATA/pg_hba.conf && exec postgres -c listen_addresses="*" -c unix_socket_directories=/tmp "$@"', 'postgres'])}`,
      'EXPOSE 5432',
      'HEALTHCHECK --interval=1s --timeout=5s --retries=60 CMD pg_isready --host=127.0.0.1',
    ],
  },
  'agent-test/redis': {
    from: 'agent-test/servers',
    changes: [
      'USER redis',
      'EXPOSE 6379',
      'CMD ["redis-server", "--protected-mode", "no", "--save", ""]',
    ],
  },
}

export async function ensureImages(): Promise<void> {
  for (const [name, make] of Object.entries(IMAGES)) {
    const { status } = await callEngine('GET', `/images/${name}:latest/json`)
    if (status !== 200) await makeImage(name, make)
  }
  for (const [name, image] of Object.entries(DERIVED)) {
    const { status } = await callEngine('GET', `/images/${name}:latest/json`)
    if (status === 200) continue
    console.log(`Making image ${name}`)
    await deriveImage(name, image)
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

/** Shares the layers of the one it comes from. */
export async function deriveImage(name: string, image: DerivedImage): Promise<void> {
  const { from, changes, programs = {}, labels = {} } = image
  const config = { Image: from, Cmd: ['bash'], Labels: labels }
  const created = await callJson('/containers/create', config)
  const { Id } = JSON.parse(expectStatus(created, 201, name)) as { Id: string }
  try {
    const archive = `/containers/${Id}/archive?path=/`
    expectStatus(await callEngine('PUT', archive, packPrograms(programs), TAR), 200, name)
    const query = new URLSearchParams({ container: Id, repo: name, tag: 'latest' })
    query.set('changes', changes.join('\n'))
    expectStatus(await callJson(`/commit?${query}`, {}), 201, name)
  } finally {
    await callEngine('DELETE', `/containers/${Id}?force=true`)
  }
}

const TAR = { 'content-type': 'application/x-tar' }

function packPrograms(programs: NonNullable<DerivedImage['programs']>): Readable {
  const tar = pack()
  for (const [path, content] of Object.entries(programs)) {
    tar.entry({ name: path.replace(/^\//, ''), mode: 0o755 }, content)
  }
  tar.finalize()
  return Readable.from(tar, { objectMode: false })
}

async function callJson(path: string, value: unknown): Promise<EngineAnswer> {
  const body = Readable.from([JSON.stringify(value)], { objectMode: false })
  return await callEngine('POST', path, body, { 'content-type': 'application/json' })
}

function expectStatus({ status, text }: EngineAnswer, wanted: number, name: string): string {
  if (status === wanted) return text
  throw new Error(`The engine did not make image ${name}: ${text}`)
}

async function bootstrap(
  suite: string,
  packages: string,
  tar: string,
  hook = 'true',
): Promise<void> {
  const options = [`--include=${packages}`, `--customize-hook=${hook}`]
  const args = ['--variant=essential', ...options, suite, tar, await findMirror()]
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
  await copyInto(root, ['/bin/bash', ...(await librariesOf('/bin/bash'))])
  await symlink('bash', join(root, 'bin', 'sh'))
  await packRoot(root, tar)
}

async function packBusybox(tar: string, libraries: readonly string[] = []): Promise<void> {
  const root = join(dirname(tar), 'root')
  await copyInto(root, [BUSYBOX, ...libraries])
  const names = await run(BUSYBOX, ['--list'], { limitMs: BUILD_LIMIT_MS })
  for (const name of names.trim().split('\n')) {
    if (name !== 'busybox') await symlink('busybox', join(root, 'bin', name))
  }
  await packRoot(root, tar)
}

async function librariesOf(program: string): Promise<string[]> {
  const listing = await run('ldd', [program], { limitMs: BUILD_LIMIT_MS })
  return listing.match(/(?<=\s)\/\S+/g) ?? []
}

async function copyInto(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
}

async function packRoot(root: string, tar: string): Promise<void> {
  await mkdir(join(root, 'tmp'), { mode: 0o1777 })
  await run('tar', ['-C', root, '-cf', tar, '.'], { limitMs: BUILD_LIMIT_MS })
}
