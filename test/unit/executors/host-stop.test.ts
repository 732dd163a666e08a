/** A stop of a job on this host, on either kind of terminal. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { stopHostJob } from '../../../lib/executors/host/stop.ts'
import { COOKIE_NAME, clockTicksNow, type ProcessSelector } from '../../../lib/host/processes.ts'
import { bootScript, SHELL_ARGUMENTS } from '../../../lib/shell/boot.ts'
import { createToken } from '../../../lib/shell/marks.ts'
import { Session } from '../../../lib/shell/session.ts'
import { loadPtyAddon } from '../../../lib/terminal/addon.ts'
import type { HostTerminal, Program } from '../../../lib/terminal/program.ts'
import { openPty } from '../../../lib/terminal/pty.ts'
import { findScript, openScript } from '../../../lib/terminal/script.ts'

const PATH = '/usr/local/bin:/usr/bin:/bin'

const OPENERS: Readonly<Record<string, (program: Program) => HostTerminal>> = {
  'the addon': (program) => openPty(loadPtyAddon(), program),
  'the script program': (program) => openScript(findScript(PATH) ?? '', program),
}

const PAUSE = 'read -t 0.2 x <> <(:)'

for (const [name, openTerminal] of Object.entries(OPENERS)) {
  const test = suite<{ directory: string }>(`stop: on a terminal of ${name}`)

  test.before.each(async (t) => {
    t.directory = await mkdtemp(join(tmpdir(), 'stop-'))
  })

  test.after.each(async (t) => {
    await rm(t.directory, { recursive: true, force: true })
  })

  /** @returns all that it printed, when it was stopped at the word `ready` */
  const stopDirective = async (directory: string, text: string, gracePeriodMs: number) => {
    const boot = join(directory, 'boot')
    const file = join(directory, 'directive')
    const token = createToken()
    const [cookie, since] = [createToken(), clockTicksNow()]
    await writeFile(boot, bootScript({ token, directory, steps: 20 }))
    await writeFile(file, text)
    const terminal = openTerminal({
      file: '/bin/bash',
      args: [...SHELL_ARGUMENTS, boot],
      environment: { PATH, HOME: directory, TERM: 'xterm', [COOKIE_NAME]: cookie },
      directory,
    })
    const session = await Session.open(terminal, {
      bootToken: token,
      directory,
      signal: AbortSignal.timeout(20_000),
      onOutput: () => undefined,
      readyTimeoutMs: 10_000,
    })
    const mark: ProcessSelector = { cookie, since, leaders: new Set([terminal.pid]) }
    const policy = { gracePeriodMs, forceStop: new AbortController().signal }
    let output = ''
    let stopping: Promise<void> | undefined
    const { shellExited } = await session.run(file, (bytes) => {
      output += Buffer.from(bytes).toString()
      if (output.startsWith('ready')) stopping ??= stopHostJob(mark, boot, policy)
    })
    await stopping
    assert.is(shellExited, true)
    return output
  }

  test('clean-up is let finish, then the EXIT trap, and all of it is read', async (t) => {
    const program = `bash -c 'trap "${PAUSE}; echo clean; exit" TERM; echo ready; while :; do ${PAUSE}; done'`

    const output = await stopDirective(
      t.directory,
      `trap 'echo bye' EXIT; ${program}; echo no`,
      60_000,
    )

    assert.is(output, 'ready\nclean\nbye\n')
  })

  test('what ignores TERM is killed after the grace period, and the EXIT trap is read', async (t) => {
    const program = `bash -c 'trap "" TERM; echo ready; while :; do ${PAUSE}; done'`

    const output = await stopDirective(
      t.directory,
      `trap 'echo bye' EXIT; ${program}; echo no`,
      300,
    )

    assert.is(output, 'ready\nbye\n')
  })

  test.run()
}
