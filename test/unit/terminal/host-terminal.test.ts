import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
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
  'the script program': (program) => {
    const script = findScript(PATH)
    assert.ok(script, 'this machine has no script program: install bsdutils')
    return openScript(script, program)
  },
}

interface Context {
  directory: string
}

for (const [name, openTerminal] of Object.entries(OPENERS)) {
  const test = suite<Context>(`terminal: ${name}`)

  test.before.each(async (t) => {
    t.directory = await mkdtemp(join(tmpdir(), 'terminal-'))
  })

  test.after.each(async (t) => {
    await rm(t.directory, { recursive: true, force: true })
  })

  const openSession = async (directory: string) => {
    const token = createToken()
    const boot = join(directory, 'boot')
    await writeFile(boot, bootScript({ token, directory, steps: 20 }))
    const terminal = openTerminal({
      file: '/bin/bash',
      args: [...SHELL_ARGUMENTS, boot],
      environment: { PATH, HOME: directory, TERM: 'xterm' },
      directory,
    })
    const session = await Session.open(terminal, {
      bootToken: token,
      directory,
      signal: AbortSignal.timeout(20_000),
      onOutput: () => undefined,
      readyTimeoutMs: 10_000,
    })
    return { session, terminal }
  }

  const runText = async (session: Session, directory: string, text: string) => {
    const file = join(directory, 'directive')
    await writeFile(file, text)
    let output = ''
    const result = await session.run(file, (bytes) => {
      output += Buffer.from(bytes).toString()
    })
    return { ...result, output }
  }

  test('the shell knows its user and home, and runs directives on a terminal', async (t) => {
    const { session } = await openSession(t.directory)

    assert.is(session.info.home, t.directory)
    assert.is(session.info.uid, process.getuid?.())
    assert.equal(
      await runText(session, t.directory, '[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes; (exit 3)'),
      { exitCode: 3, shellExited: false, output: 'yes\n' },
    )
    assert.equal(await runText(session, t.directory, 'echo bye; exit 4'), {
      exitCode: 4,
      shellExited: true,
      output: 'bye\n',
    })
  })

  test('a megabyte in odd pieces arrives as it was', async (t) => {
    const { session } = await openSession(t.directory)

    const { output } = await runText(session, t.directory, 'seq 150000')
    await runText(session, t.directory, 'exit')

    assert.is(output.length, 938_895)
    assert.ok(output.endsWith('149999\n150000\n'))
  })

  test('output that nobody takes yet waits, and its shell with it', async (t) => {
    const { session } = await openSession(t.directory)
    const early = await runText(session, t.directory, '( seq 200000; echo end ) &')

    const late = await runText(session, t.directory, 'wait; echo own; exit')

    // How much of it is early is for the kernel to say; while bash reads, a line ends with both.
    const output = (early.output + late.output).replaceAll('\r\n', '\n')
    assert.ok(output.startsWith('1\n2\n'))
    assert.ok(output.includes('200000\nend\n'))
  })

  test.run()
}
