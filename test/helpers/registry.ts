/** A Docker registry of its own with a password, on loopback, where engines need no TLS. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../setup/run.ts'

const PROGRAM = '/usr/bin/docker-registry'
const START_LIMIT_MS = 20_000

export interface Account {
  readonly username: string
  /** bcrypt looks at the first 72 bytes only. */
  readonly password: string
}

export interface Registry extends Account {
  /** `127.0.0.1:PORT`, as image references begin. */
  readonly host: string
  close(): Promise<void>
}

export async function startRegistry(account: Account): Promise<Registry> {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'))
  const passwords = join(directory, 'htpasswd')
  const config = join(directory, 'config.yml')
  await writeFile(passwords, await hashPassword(account))
  await writeFile(config, JSON.stringify(configOf(directory, passwords)))
  const child = spawn(PROGRAM, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  try {
    const host = await listeningOn(child)
    return { ...account, host, close: () => end(child, directory) }
  } catch (error) {
    await end(child, directory)
    throw error
  }
}

async function hashPassword({ username, password }: Account): Promise<string> {
  // The least costly hash there is: it guards a test's secret.
  return await run('htpasswd', ['-Bbn', '-C', '4', username, password], {
    limitMs: START_LIMIT_MS,
  })
}

/** JSON is YAML. */
function configOf(directory: string, passwords: string): object {
  return {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    // Relative: so that an upload stays with the proxy it began at.
    http: { addr: '127.0.0.1:0', relativeurls: true, secret: 'of this run' },
    auth: { htpasswd: { realm: 'test', path: passwords } },
  }
}

function listeningOn(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  const limit = setTimeout(
    () => reject(new Error(`The registry is silent: ${said}`)),
    START_LIMIT_MS,
  )
  child.once('error', reject)
  child.once('exit', () => reject(new Error(`The registry ended: ${said}`)))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4_000)
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1]
    if (host !== undefined) resolve(host)
  })
  return promise.finally(() => clearTimeout(limit))
}

async function end(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }
  await rm(directory, { recursive: true, force: true })
}
