/** A repository with everything `checkout` may meet, and real servers in front of it. */

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from '../setup/run.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'

const GIT_LIMIT_MS = 60_000

/** A bare repository on this machine. */
export interface Repository {
  readonly path: string
  /** Runs a script of sh in a clone of it, from which can be pushed; returns what it prints. */
  change(script: string): Promise<string>
  remove(): Promise<void>
}

export async function createRepository(script: string): Promise<Repository> {
  const root = await mkdtemp(join(tmpdir(), 'git-'))
  const path = join(root, 'repo.git')
  const work = join(root, 'work')
  const environment = {
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
  }
  const sh = async (text: string, cwd: string) =>
    await run('sh', ['-euc', `cd "$1"; ${text}`, 'sh', cwd], { limitMs: GIT_LIMIT_MS, environment })
  await sh(
    `git init -q --bare -b main "${path}"; git init -q -b main work; cd work; git remote add origin "${path}"`,
    root,
  )
  await sh(script, work)
  return {
    path,
    change: (text) => sh(text, work),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}

export interface HttpGitServer {
  readonly port: number
  /** How many of the next connections are dropped without an answer. */
  drop(connections: number): void
  close(): Promise<void>
}

/** `git http-backend` for whoever knows the password, on every address of this machine. */
export async function startHttpGitServer(
  { path }: Repository,
  credentials: string,
): Promise<HttpGitServer> {
  let toDrop = 0
  const expected = `Basic ${Buffer.from(credentials).toString('base64')}`
  const server = createServer((request, response) => {
    if (toDrop > 0) {
      toDrop--
      request.socket.destroy()
    } else if (request.headers.authorization === expected) {
      runBackend(join(path, '..'), request, response)
    } else {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    drop: (connections) => {
      toDrop = connections
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** @see git-http-backend(1): a CGI program */
function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'user',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => undefined) // it may end without reading
  request.pipe(child.stdin)
  let head = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    const lines = head.subarray(0, end).toString().split('\r\n')
    const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)))
    response.writeHead(Number.parseInt(headers['Status'] ?? '200', 10), headers)
    response.write(head.subarray(end + 4))
  })
  child.once('close', () => response.end())
}

export interface SshGitServer {
  readonly port: number
  readonly username: string
  /** The one that is let in. */
  readonly privateKey: string
  /** As a line of known_hosts has it, after the name. */
  readonly hostKey: string
  close(): Promise<void>
}

/** A real sshd, on every address of this machine, in which git runs as this user. */
export async function startSshGitServer(): Promise<SshGitServer> {
  const root = await mkdtemp(join(tmpdir(), 'sshd-'))
  await mkdir('/run/sshd', { recursive: true })
  for (const name of ['host', 'user']) {
    const args = ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(root, name)]
    await run('ssh-keygen', args, { limitMs: GIT_LIMIT_MS })
  }
  const port = await freePort()
  await writeFile(
    join(root, 'config'),
    `Port ${port}
ListenAddress 0.0.0.0
HostKey ${root}/host
AuthorizedKeysFile ${root}/user.pub
StrictModes no
SetEnv HOME=${root}
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
`,
  )
  const daemon = spawn('/usr/sbin/sshd', ['-D', '-f', join(root, 'config')], { stdio: 'ignore' })
  const exited = new Promise((resolve) => daemon.once('exit', resolve))
  await waitFor(() => isListening(port), 'sshd listens')
  return {
    port,
    username: userInfo().username,
    privateKey: await readFile(join(root, 'user'), 'utf8'),
    hostKey: (await readFile(join(root, 'host.pub'), 'utf8')).trim(),
    async close() {
      daemon.kill('SIGKILL')
      await exited
      await rm(root, { recursive: true, force: true })
    },
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
