/** Plain bash on a terminal of its own: on this host, or in a container. */

import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SHELL_ARGUMENTS } from '../../lib/shell/boot.ts'
import { loadPtyAddon } from '../../lib/terminal/addon.ts'
import { openPty } from '../../lib/terminal/pty.ts'
import { callEngine } from '../setup/engine.ts'
import { createJobId } from './job-id.ts'
import { planPlainRun, type Told } from './plain-bash.ts'

export interface PlainShells {
  /** @throws {Error} when the shell does not end */
  run(texts: readonly string[]): Promise<Told[]>
  close(): Promise<void>
}

/** Longer than any sequence takes on a busy machine. */
const LIMIT_MS = 30_000

const ENVIRONMENT = { PATH: '/usr/bin:/bin', TERM: 'xterm', LANG: 'C.UTF-8' }

/** @param home shared with the jobs it is compared with: emptied before each run */
export function plainShellsOnHost(home: string): PlainShells {
  const run = async (texts: readonly string[]) => {
    const directory = await mkdtemp(join(tmpdir(), 'plain-'))
    try {
      const plan = planPlainRun(texts, directory)
      await writeAll(directory, plan.files)
      await empty(home)
      const terminal = openPty(loadPtyAddon(), {
        file: '/bin/bash',
        args: [...SHELL_ARGUMENTS, join(directory, plan.script)],
        environment: { ...ENVIRONMENT, HOME: home },
        directory: '/',
      })
      const chunks: Uint8Array[] = []
      const limit = setTimeout(() => process.kill(-terminal.pid, 'SIGKILL'), LIMIT_MS)
      for await (const chunk of terminal.output) chunks.push(Buffer.from(chunk))
      const status = await terminal.exited
      clearTimeout(limit)
      return plan.parse(Buffer.concat(chunks).toString(), status)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  return { run, close: () => Promise.resolve() }
}

/** All of them in one container, each in a directory of its own. */
export async function plainShellsInContainer(image: string): Promise<PlainShells> {
  const shared = await mkdtemp(join(tmpdir(), 'plain-'))
  await chmod(shared, 0o755)
  const { Id } = await ask<{ Id: string }>('POST', '/containers/create', {
    Image: image,
    Cmd: ['sleep', '600'],
    Labels: { 'agent.job': createJobId() }, // other test runs do not take it for theirs
    HostConfig: { NetworkMode: 'none', Init: true, Binds: [`${shared}:${shared}`] },
  })
  await ask('POST', `/containers/${Id}/start`)
  let count = 0
  const run = async (texts: readonly string[]) => {
    const directory = join(shared, `${count++}`)
    const home = join(directory, 'home')
    const plan = planPlainRun(texts, directory)
    await mkdir(home, { recursive: true })
    await writeAll(directory, plan.files)
    const limit = ['timeout', '--foreground', '-s', 'KILL', `${LIMIT_MS / 1_000}`]
    const exec = await ask<{ Id: string }>('POST', `/containers/${Id}/exec`, {
      Cmd: [...limit, 'bash', ...SHELL_ARGUMENTS, join(directory, plan.script)],
      Env: Object.entries({ ...ENVIRONMENT, HOME: home }).map((pair) => pair.join('=')),
      ...{ Tty: true, AttachStdout: true, AttachStderr: true },
    })
    const { text } = await callEngine('POST', `/exec/${exec.Id}/start`, { Tty: true })
    const { ExitCode } = await ask<{ ExitCode: number }>('GET', `/exec/${exec.Id}/json`)
    return plan.parse(text, ExitCode)
  }
  const close = async () => {
    await callEngine('DELETE', `/containers/${Id}?force=true&v=true`)
    await rm(shared, { recursive: true, force: true })
  }
  return { run, close }
}

/** But for the agent's line in the profile, which is part of how jobs work. */
async function empty(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith('.')) await rm(join(home, name), { recursive: true })
  }
}

async function writeAll(directory: string, files: Readonly<Record<string, string>>) {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), content)
  }
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await callEngine(method, path, body)
  if (status >= 300) throw new Error(`${method} ${path}: ${text}`)
  return JSON.parse(text || '{}') as T
}
