/** An OpenSSH server for one suite, that offers SFTP in one directory to one key. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from '../setup/run.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'

export interface SftpServer {
  readonly port: number
  readonly username: string
  /** What the user sees. */
  readonly directory: string
  /** The private key that is let in, and the file it is in. */
  readonly privateKey: Buffer
  readonly privateKeyPath: string
  /** The server's own, as in a `.pub` file. */
  readonly hostKey: string
  close(): Promise<void>
}

export interface SftpServerOptions {
  /** The directory is a disk of its own, of so many bytes, which nobody else sees. */
  readonly diskBytes?: number
  /** The user may not write. */
  readonly isReadOnly?: boolean
}

const KEYGEN_LIMIT_MS = 10_000

export async function startSftpServer(options: SftpServerOptions = {}): Promise<SftpServer> {
  const root = await mkdtemp(join(tmpdir(), 'sshd-'))
  const directory = join(root, 'files')
  await mkdir(directory)
  await mkdir('/run/sshd', { recursive: true })
  const privateKeyPath = await createKey(root, 'user')
  const hostKeyPath = await createKey(root, 'host')
  const port = await freePort()
  await writeFile(
    join(root, 'config'),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKeyPath}
AuthorizedKeysFile ${privateKeyPath}.pub
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp ${options.isReadOnly === true ? '-R ' : ''}-d ${directory}
`,
  )
  const server = startDaemon(root, directory, options.diskBytes)
  const exited = new Promise((resolve) => server.once('exit', resolve))
  await waitFor(() => isListening(port), 'the SSH server listens')
  return {
    port,
    username: userInfo().username,
    directory,
    privateKey: await readFile(privateKeyPath),
    privateKeyPath,
    hostKey: await readFile(`${hostKeyPath}.pub`, 'utf8'),
    async close() {
      server.kill('SIGKILL')
      await exited
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** It ends with the test's process, whatever becomes of that: sshd wipes the mark it is known by. */
function startDaemon(root: string, directory: string, diskBytes?: number): ChildProcess {
  const daemon = ['/usr/sbin/sshd', '-D', '-e', '-f', join(root, 'config')]
  const mount = `mount -t tmpfs -o size=${diskBytes} tmpfs "$1" && shift && exec "$@"`
  const onOwnDisk = ['unshare', '--mount', 'sh', '-c', mount, 'sh', directory]
  const command = [...(diskBytes === undefined ? [] : onOwnDisk), ...daemon]
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: 'ignore' })
}

async function createKey(root: string, name: string): Promise<string> {
  const path = join(root, name)
  const args = ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path]
  await run('ssh-keygen', args, { limitMs: KEYGEN_LIMIT_MS })
  return path
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
