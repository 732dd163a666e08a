/** A real sshd for one test, and a person who logs in to it: on pipes, or at a terminal. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jobsDirectories } from '../../lib/access/registered-jobs.ts'
import { JUMP_POINT_PATH } from '../../lib/host/jump-point.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'
import { startAtTerminal, type TerminalSession } from './terminal.ts'

const LIMIT_MS = 30_000

export interface SshResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface SshHost {
  /** As a job request carries it. */
  readonly publicKey: string
  /** Runs a command line there, without a terminal. */
  run(commandLine: string, input?: Uint8Array | string): Promise<SshResult>
  /** `ssh -t`. */
  open(commandLine: string): TerminalSession
  close(): Promise<void>
}

/** @param home has the `.ssh/authorized_keys` that count, and is `$HOME` of who logs in */
export async function startSshHost(home: string): Promise<SshHost> {
  await mkdir('/run/sshd', { recursive: true }) // by Debian's start script, where services are started
  const directory = await mkdtemp(join(tmpdir(), 'sshd-'))
  for (const name of ['host_key', 'key']) {
    await promisify(execFile)('ssh-keygen', [
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-C',
      'José@laptop', // not everybody's name is ASCII
      '-f',
      join(directory, name),
    ])
  }
  const port = await freePort()
  const config = join(directory, 'config')
  await writeFile(
    config,
    `ListenAddress 127.0.0.1:${port}
HostKey ${directory}/host_key
AuthorizedKeysFile ${home}/.ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME=${home} LANG=C.UTF-8
`,
  )
  const daemon = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await listening(daemon)
  const address = [
    ...['-F', 'none', '-i', join(directory, 'key'), '-p', String(port)],
    ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes'].flatMap(
      (option) => ['-o', option],
    ),
    ...['-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'],
    `${userInfo().username}@127.0.0.1`,
  ]
  return {
    publicKey: await readFile(join(directory, 'key.pub'), 'base64'),
    run: (commandLine, input = '') => runSsh([...address, commandLine], input),
    open: (commandLine) => startAtTerminal('/usr/bin/ssh', ['-t', ...address, commandLine]),
    async close() {
      daemon.kill()
      await new Promise((resolve) => daemon.once('exit', resolve))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * The script of that job, as soon as it is there, copied: other agents on this machine write theirs
 * to the same place.
 *
 * @returns path of the copy
 */
export async function jumpPointOf(jobId: string, directory: string): Promise<string> {
  const copy = join(directory, 'jump')
  await waitFor(async () => {
    await copyFile(JUMP_POINT_PATH, copy).catch(() => undefined) // not written yet
    const script = await readFile(copy, 'utf8').catch(() => '')
    const [job = ''] = /\/[^']*\/running\/[\w.-]+/.exec(script) ?? []
    return (await readJobId(job)) === jobId
  }, `${JUMP_POINT_PATH} leads to job ${jobId}`)
  return copy
}

/** Where a running job is written down. */
export async function jobDirectory(jobId: string): Promise<string | undefined> {
  for (const root of jobsDirectories()) {
    for (const name of await readdir(root).catch(() => [])) {
      if ((await readJobId(join(root, name))) === jobId) return join(root, name)
    }
  }
  return undefined
}

async function readJobId(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'record'), 'utf8').catch(() => '{}')
  return (JSON.parse(text) as { id?: string }).id
}

async function runSsh(args: readonly string[], input: Uint8Array | string): Promise<SshResult> {
  const child = spawn('/usr/bin/ssh', args, { timeout: LIMIT_MS, killSignal: 'SIGKILL' })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  child.stdin.on('error', () => undefined) // it may end without reading
  child.stdin.end(input)
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status ?? -1))
  })
  return { code, ...output }
}

async function listening(daemon: ChildProcess): Promise<void> {
  let said = ''
  daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await waitFor(() => {
    if (daemon.exitCode !== null) throw new Error(`sshd ended: ${said}`)
    return said.includes('Server listening')
  }, 'sshd listens')
}
