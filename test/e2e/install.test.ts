/** The installer in containers, from an HTTPS server, with what can go wrong on the way. */

import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CertificateAndKey } from '../../lib/tls/self-signed.ts'
import { VERSION } from '../../lib/version.ts'
import { runAgent } from '../helpers/agent.ts'
import { type ContainerExit, runContainer } from '../helpers/container.ts'
import { engineObjects } from '../helpers/engine.ts'
import { checksumsOf, type ReleaseServer, startReleaseServer } from '../helpers/release-server.ts'

interface Context {
  /** Seen by containers as /release. */
  release: string
  server: ReleaseServer
  directory: string
}

const test = suite<Context>('installer')
const INSTALLER = resolve('lib/release/install.sh')
const DEBIAN = 'agent-test/downloaders'
const BUSYBOX = 'agent-test/busybox'

/** Before each script: the server's certificate is one that the machine trusts. */
const TRUST =
  'mkdir -p /etc/ssl/certs && cat /given/server.crt >>/etc/ssl/certs/ca-certificates.crt'

test.before(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'install-'))
  t.release = join(t.directory, 'release')
  await mkdir(t.release)
  const binary = join(t.release, 'agent-linux-x64')
  await copyFile('dist/agent', binary)
  await compress(binary)
  const other = join(t.release, 'agent-linux-arm64')
  await writeFile(other, 'a program for another machine')
  await compress(other)
  await copyFile(INSTALLER, join(t.release, 'install.sh'))
  await writeFile(join(t.release, 'SHA256SUMS'), await checksumsOf(t.release))

  await makeSmallRelease(join(t.release, 'small'))
  await chmod(t.directory, 0o755) // not only root installs from it
  t.server = await startReleaseServer(t.release, await makeCertificate(t.directory))
})

test.before.each(({ server }) => {
  server.requests.length = 0
  server.mischief.clear()
})

test.after(async ({ directory, server }) => {
  await server.close()
  await rm(directory, { recursive: true, force: true })
})

test('the script is POSIX sh without a fault that shellcheck knows', async () => {
  await promisify(execFile)('shellcheck', ['--shell=sh', INSTALLER])
})

for (const shell of ['dash', 'bash --posix', 'busybox sh', 'mksh', 'posh', 'yash']) {
  test(`${shell} installs by it, and says where`, async ({ directory, release }) => {
    const bin = join(directory, `by ${shell}`)
    const { stderr } = await promisify(execFile)('sh', ['-c', `${shell} <${INSTALLER}`], {
      cwd: directory,
      env: {
        PATH: process.env['PATH'],
        AGENT_DOWNLOAD_URL: `file://${release}/small`,
        AGENT_INSTALL_DIR: `by ${shell}`,
      },
    })

    assert.match(stderr, ` as ${bin}/agent\n`)
    assert.match(stderr, `export PATH="${bin}:$PATH"`)
    await promisify(execFile)('cmp', [join(release, 'small', 'agent-linux-x64'), `${bin}/agent`])
  })
}

test('Debian: curl into sh installs an agent that runs, and a second time changes nothing', async (t) => {
  const before = await engineObjects()

  const { code, output } = await install(t, {
    script: `
      curl -fsSL "$AGENT_DOWNLOAD_URL/install.sh" | sh && agent version && ls -A /usr/local/bin
      curl -fsSL "$AGENT_DOWNLOAD_URL/install.sh" | sh`,
  })

  assert.is(code, 0, output)
  assert.match(output, `Installed agent ${VERSION} as /usr/local/bin/agent\n`)
  assert.match(output, /Next:\n {2}agent doctor /)
  assert.match(output, `\n${VERSION}\nagent\n/usr/local/bin/agent is up to date: ${VERSION}\n`)
  assert.equal(t.server.requests, [
    'install.sh',
    'SHA256SUMS',
    'agent-linux-x64.gz',
    'install.sh',
    'SHA256SUMS',
  ])
  assert.equal(await engineObjects(), before)
})

test('with a control plane and a token as variables it goes on to make a service', async (t) => {
  const { output } = await install(t, {
    script: `
      variables='SEMAPHORE_AGENT_ENDPOINT=ci.example.com SEMAPHORE_AGENT_TOKEN=s1-hush'
      curl -fsSL "$AGENT_DOWNLOAD_URL/install.sh" | env $variables sh; echo "ended with $?"
      curl -fsSL "$AGENT_DOWNLOAD_URL/install.sh" | env $variables sh; echo "ended with $?"`,
  })

  const refused =
    'agent: This machine is not run by systemd .ERR_CONFIG_INVALID.\n.*\nended with 2\n'
  const whole = `Installed agent ${VERSION} as /usr/local/bin/agent\n${refused}.* is up to date.*\n${refused}$`
  assert.match(output, new RegExp(whole))
  assert.not.match(output, 's1-hush')
})

test('with wget alone, and without gzip, it takes the file as it is', async (t) => {
  const { code, output } = await install(t, {
    script: `
      rm /usr/bin/curl /bin/gzip
      wget -qO- "$AGENT_DOWNLOAD_URL/install.sh" | sh && agent version`,
  })

  assert.is(code, 0, output)
  assert.match(output, `\n${VERSION}\n`)
  assert.equal(t.server.requests, ['install.sh', 'SHA256SUMS', 'agent-linux-x64'])
})

for (const tool of ['curl', 'wget']) {
  test(`${tool} is led from one https address to another`, async (t) => {
    t.server.mischief.set('SHA256SUMS', (response) =>
      leadTo(urlOf(response, '/SHA256SUMS'))(response),
    )

    const { code, output } = await install(t, {
      script: `[ ${tool} = curl ] || rm /usr/bin/curl; sh /given/release/install.sh`,
    })

    assert.is(code, 0, output)
    assert.equal(t.server.requests.slice(0, 2), ['SHA256SUMS', '/SHA256SUMS'])
  })
}

for (const mask of ['000', '077']) {
  test(`with umask ${mask} others can run what it installs, and not write it`, async (t) => {
    const { code, output } = await install(t, {
      script: `
        umask ${mask}; export AGENT_INSTALL_DIR=/opt/new/bin
        sh /given/release/install.sh; stat -c %a /opt/new /opt/new/bin /opt/new/bin/agent`,
    })

    assert.is(code, 0, output)
    assert.match(output, /\n755\n755\n755\n$/)
  })
}

test('busybox alone is enough, and its wget is warned of', async (t) => {
  const { code, output } = await install(t, {
    image: BUSYBOX,
    script: 'sh /given/release/install.sh && /usr/local/bin/agent version',
  })

  assert.is(code, 0, output)
  assert.match(output, 'Warning: the wget of busybox does not check whom it downloads from')
  assert.match(output, `\n${VERSION}\n`)
})

test('a user who is not root gets it below the home, and is told about PATH', async (t) => {
  const { code, output } = await install(t, {
    script: `
      mkdir /home/me && chown 1000 /home/me
      HOME=/home/me setpriv --reuid=1000 --clear-groups sh /given/release/install.sh
      /home/me/.local/bin/agent version`,
  })

  assert.is(code, 0, output)
  assert.match(output, `Installed agent ${VERSION} as /home/me/.local/bin/agent\n`)
  assert.match(output, 'export PATH="/home/me/.local/bin:$PATH"')
  assert.match(output, '  /home/me/.local/bin/agent doctor ')
})

test('an upgrade leaves the agent that runs alone, and tells how a service gets it', async (t) => {
  const { code, output } = await install(t, {
    script: `
      cp /given/release/agent-linux-x64 /usr/local/bin/agent
      echo older >>/usr/local/bin/agent
      echo 'commands: [{directive: "until [ -e /tmp/go ]; do sleep 0.1; done; echo over"}]' >/tmp/job.yaml
      agent run /tmp/job.yaml >/tmp/log & pid=$!
      until grep -q until /tmp/log; do sleep 0.1; done
      mkdir -p /etc/systemd/system && touch /etc/systemd/system/agent.service
      sh /given/release/install.sh || exit 9
      cmp /given/release/agent-linux-x64 /usr/local/bin/agent && touch /tmp/go
      wait $pid && grep '^over' /tmp/log`,
  })

  assert.is(code, 0, output)
  assert.match(output, '\n  systemctl restart agent  let the service use it')
  assert.match(output, /\nover\n$/)
})

const UNCHANGED = 'echo old >/usr/local/bin/agent; cp /usr/local/bin/agent /tmp/old'
const IS_UNCHANGED =
  'cmp /tmp/old /usr/local/bin/agent && [ "$(ls -A /usr/local/bin)" = agent ] && echo unchanged'

/** Of 64 MB, the engine's default. */
const FILL_DISK = 'export AGENT_INSTALL_DIR=/dev/shm; head -c 60000000 /dev/zero >/dev/shm/fill'

/** Sends a client elsewhere. */
function leadTo(location: string) {
  return (response: ServerResponse) => void response.writeHead(302, { location }).end()
}

function urlOf({ req }: ServerResponse, name: string): string {
  return `https://${req.headers.host}/${name}`
}

interface Trouble {
  readonly title: string
  readonly image?: string
  /** Done before. */
  readonly prepare?: string
  readonly mischief?: Readonly<Record<string, (response: ServerResponse, path: string) => void>>
  readonly says: string | RegExp
}

const TROUBLES: readonly Trouble[] = [
  {
    title: 'a directory in the place of the agent',
    prepare: 'export AGENT_INSTALL_DIR=/opt; mkdir /opt/agent',
    says: '/opt/agent is a directory.\nRemove it',
  },
  {
    title: 'a user without a home',
    prepare: `unset HOME; printf '#!/bin/sh\\necho 1000\\n' >/usr/bin/id`,
    says: 'HOME is not set.\nSet it',
  },
  {
    title: 'a disk with no room for the download',
    prepare: FILL_DISK,
    says: 'agent-linux-x64.gz does not fit in /dev/shm.\nMake room there',
  },
  {
    title: 'a disk with no room for the download, by wget',
    prepare: `${FILL_DISK}; rm /usr/bin/curl`,
    says: 'agent-linux-x64.gz does not fit in /dev/shm.\nMake room there',
  },
  {
    title: 'a disk with room for the download alone',
    prepare: 'export AGENT_INSTALL_DIR=/dev/shm',
    says: 'agent-linux-x64 does not fit in /dev/shm.\nMake room there',
  },
  {
    title: 'a spoilt download',
    mischief: { 'agent-linux-x64.gz': (response) => response.end('spoilt') },
    says: /The checksum of agent-linux-x64\.gz is not that of the release\.\n.*Nothing was changed/,
  },
  {
    title: 'a download that ends early',
    mischief: { 'agent-linux-x64.gz': cutShort },
    says: 'agent-linux-x64.gz cannot be downloaded with curl',
  },
  {
    title: 'a download that ends early, by wget',
    prepare: 'rm /usr/bin/curl',
    mischief: { 'agent-linux-x64.gz': cutShort },
    says: 'agent-linux-x64.gz cannot be downloaded with wget',
  },
  {
    title: 'a download that ends early, by busybox',
    image: BUSYBOX,
    mischief: { 'agent-linux-x64.gz': cutShort },
    says: 'agent-linux-x64.gz cannot be downloaded with wget',
  },
  {
    title: 'a server that leads away from https',
    mischief: { SHA256SUMS: leadTo('http://localhost:1/SHA256SUMS') },
    says: /Protocol "http" .*\n.*SHA256SUMS cannot be downloaded with curl/s,
  },
  {
    title: 'a server that leads away from https, by wget',
    prepare: 'rm /usr/bin/curl',
    mischief: { SHA256SUMS: leadTo('http://localhost:1/SHA256SUMS') },
    says: /location: http:.*\n.*SHA256SUMS cannot be downloaded with wget/s,
  },
  {
    title: 'a server that leads in a circle, by wget',
    prepare: 'rm /usr/bin/curl',
    mischief: { SHA256SUMS: (response) => leadTo(urlOf(response, 'SHA256SUMS'))(response) },
    says: 'SHA256SUMS cannot be downloaded with wget',
  },
  {
    title: 'a server that is not trusted',
    prepare: 'rm /etc/ssl/certs/ca-certificates.crt',
    says: /curl: .*certificate.*\n.*SHA256SUMS cannot be downloaded with curl/s,
  },
  {
    title: 'a release that is not there',
    prepare: 'AGENT_DOWNLOAD_URL=$AGENT_DOWNLOAD_URL/nowhere',
    says: /404.*SHA256SUMS cannot be downloaded/s,
  },
  {
    title: 'no address at all',
    prepare: 'unset AGENT_DOWNLOAD_URL',
    says: 'does not know where the release is.\nSet AGENT_DOWNLOAD_URL',
  },
  {
    title: 'a control plane without a token',
    prepare: 'export SEMAPHORE_AGENT_ENDPOINT=ci.example.com',
    says: 'There is no token for ci.example.com.\nSet SEMAPHORE_AGENT_TOKEN',
  },
  {
    title: 'neither curl nor wget',
    prepare: 'rm /usr/bin/curl /usr/bin/wget',
    says: 'There is neither curl nor wget.\nInstall one of them, e.g.: apt-get install curl',
  },
  {
    title: 'nothing to check a sum with',
    prepare: 'rm /usr/bin/sha256sum /usr/bin/shasum',
    says: 'There is neither sha256sum nor shasum.',
  },
  {
    title: 'a system without libstdc++',
    prepare: 'rm /usr/lib/x86_64-linux-gnu/libstdc++.so.6',
    says: /does not start here: .*libstdc\+\+.*\nInstall libstdc\+\+: apt-get install libstdc\+\+6/,
  },
  {
    title: 'a system without glibc',
    image: BUSYBOX,
    prepare: 'rm /lib64/ld-linux-x86-64.so.2; AGENT_DOWNLOAD_URL=$AGENT_DOWNLOAD_URL/small',
    says: /does not start here: .*not found\.\nIt needs glibc/,
  },
  {
    title: 'a machine of another kind',
    prepare: fakeUname('riscv64'),
    says: 'There is no agent for riscv64.\nUse an x86_64 or aarch64 machine.',
  },
]

for (const { title, image, prepare = 'true', mischief = {}, says } of TROUBLES) {
  test(`${title} is told, and nothing is changed`, async (t) => {
    for (const [name, act] of Object.entries(mischief)) t.server.mischief.set(name, act)

    const { code, output } = await install(t, {
      ...(image === undefined ? {} : { image }),
      script: `
        mkdir -p /usr/local/bin; ${UNCHANGED}; ${prepare}
        sh /given/release/install.sh; echo "ended with $?"
        ${IS_UNCHANGED}`,
    })

    assert.match(output, says, output)
    assert.match(output, /\nended with 1\nunchanged\n$/, output)
    assert.is(code, 0)
  })
}

test('an arm64 machine is given the file for arm64', async (t) => {
  await install(t, { script: `${fakeUname('aarch64')}; sh /given/release/install.sh` })

  assert.equal(t.server.requests, ['SHA256SUMS', 'agent-linux-arm64.gz'])
})

test('an installer that arrives in part does nothing, wherever it is cut', async (t) => {
  const { code, output } = await install(t, {
    script: `
      mkdir -p /usr/local/bin; ${UNCHANGED}
      size=$(wc -c </given/release/install.sh); cut=1
      while [ "$cut" -lt $((size - 10)) ]; do
        head -c "$cut" /given/release/install.sh | sh >/dev/null 2>&1
        cut=$((cut + 37))
      done
      ${IS_UNCHANGED}`,
  })

  assert.is(code, 0, output)
  assert.equal(t.server.requests, [])
})

test('a signal in the middle of a download leaves nothing behind', async (t) => {
  t.server.mischief.set('agent-linux-x64.gz', (response) => {
    response.writeHead(200, { 'content-length': 1_000_000 })
    response.write('the beginning')
  })

  const { output } = await install(t, {
    script: `
      setsid sh /given/release/install.sh & pid=$!
      until ls /usr/local/bin/.agent-install-*/agent-linux-x64.gz 2>/dev/null; do sleep 0.1; done
      kill -TERM -$pid; wait $pid; echo "ended with $?"
      ls -A /usr/local/bin; echo end`,
  })

  assert.match(output, /\nended with 143\nend\n$/, output)
})

test('completion and manual kept where the help says, on a machine with none of these directories, they are found', async (t) => {
  const helps = await Promise.all(
    ['completion', 'man-page'].map((command) => runAgent([command, '--help'])),
  )
  const calls = helps.flatMap(({ stdout }) => stdout.match(/^ {2}agent .* install .*$/gm) ?? [])
  assert.is(calls.length, 4)

  const { code, output } = await install(t, {
    script: `
      sudo() { "$@"; }
      set -e; umask 077; cp /given/release/agent-linux-x64 /usr/local/bin/agent
      ${calls.join('\n')}
      find /usr/local/share ~/.config -type f | xargs stat -c '%a %n' | sort`,
  })

  assert.is(code, 0, output)
  assert.equal(output.trimEnd().split('\n'), [
    '644 /root/.config/fish/completions/agent.fish',
    '644 /usr/local/share/bash-completion/completions/agent',
    '644 /usr/local/share/man/man1/agent.1',
    '644 /usr/local/share/zsh/site-functions/_agent',
  ])
})

/** The server, the release and the installer as they are, in a container where it is trusted. */
async function install(
  { directory, server }: Context,
  { image = DEBIAN, script }: { readonly image?: string; readonly script: string },
): Promise<ContainerExit> {
  return await runContainer({
    image,
    script: `${TRUST}\n${script}`,
    mounts: [`${directory}:/given`],
    environment: { AGENT_DOWNLOAD_URL: server.url },
  })
}

/** Of a program that needs glibc too, and is downloaded in no time. */
async function makeSmallRelease(directory: string): Promise<void> {
  await mkdir(directory)
  const binary = join(directory, 'agent-linux-x64')
  await copyFile('/bin/true', binary)
  await compress(binary)
  await writeFile(join(directory, 'SHA256SUMS'), await checksumsOf(directory))
}

/** With an RSA key: busybox's own TLS takes no certificate on the curve P-256. */
async function makeCertificate(directory: string): Promise<CertificateAndKey> {
  const cert = join(directory, 'server.crt')
  const key = join(directory, 'server.key')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const files = ['-nodes', '-out', cert, '-keyout', key]
  const words = ['req', '-x509', '-newkey', 'rsa:2048', ...subject, ...files]
  await promisify(execFile)('openssl', words)
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
}

async function compress(path: string): Promise<void> {
  const gzip = createGzip({ level: 1 })
  await pipeline(createReadStream(path), gzip, createWriteStream(`${path}.gz`))
}

/** Half of what was promised, and no more. */
function cutShort(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': 1_000_000 })
  response.write('the beginning', () => response.destroy())
}

function fakeUname(machine: string): string {
  const program = `#!/bin/sh\n[ "$1" = -m ] && echo ${machine} || echo Linux\n`
  return `printf '${program.replaceAll('\n', '\\n')}' >/usr/bin/uname`
}

test.run()
