/** Completion in real shells, and the manual page through real readers of it. */

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent } from '../helpers/agent.ts'
import { withShell } from '../helpers/typing.ts'

interface Context {
  directory: string
}

const test = suite<Context>('completion')
const BINARY = resolve('dist/agent')
const LIMIT_MS = 30_000

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'completion-'))
  await writeFile(join(t.directory, 'my job.yaml'), '')
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  test(`${shell}: the Tab key completes commands, flags, values and files`, async ({
    directory,
  }) => {
    await withShell(shell, directory, async (type) => {
      const screen = await type('agent ru\t--form\tjs\tmy\t\r', (text) => /\[run .*\]/.test(text))

      assert.match(screen, /\[run --format[ =]json my job\.yaml\]/)
    })
  })
}

for (const shell of ['bash', 'zsh'] as const) {
  test(`${shell}: every command offers the flags of its help, and no others`, async (t) => {
    await withShell(shell, t.directory, async (type) => {
      for (const command of await commandNames()) {
        const flags = await flagsInHelp(command)

        const keys = `agent ${command} --\t${shell === 'bash' ? '\t' : ''}`
        const screen = await type(keys, (text) => flags.every((flag) => flagsIn(text).has(flag)))

        assert.equal(
          [...flagsIn(screen)].filter((flag) => !flags.includes(flag)),
          [],
          command,
        )
      }
    })
  })
}

test('fish: every command offers the flags of its help, and no others', async ({ directory }) => {
  for (const command of await commandNames()) {
    const script = `${BINARY} completion fish | source; complete -C "agent ${command} --"`
    const { stdout } = await promisify(execFile)('fish', ['--no-config', '-c', script], {
      env: { PATH: '/usr/bin:/bin', HOME: directory },
      timeout: LIMIT_MS,
    })

    const offered = stdout.split('\n').map((line) => line.split('\t')[0])
    assert.equal(offered.slice(0, -1).sort(), (await flagsInHelp(command)).sort(), command)
  }
})

test('bash: what stands behind a flag, with or without "=", decides what is offered', async (t) => {
  const query = (...words: string[]) => completeInBash(t.directory, words)

  assert.equal(await query('agent', 'run', '--format', ''), ['text', 'json'])
  assert.equal(await query('agent', 'run', '--format', '='), ['text', 'json'])
  assert.equal(await query('agent', 'run', '--format', '=', 'j'), ['json'])
  assert.equal(await query('agent', 'run', '--stop-grace-period', ''), [])
  assert.equal(await query('agent', 'run', '--pre-job-hook-path', 'my'), ['my job.yaml'])
  assert.equal(await query('agent', 'completion', ''), ['bash', 'zsh', 'fish'])
  assert.equal(await query('agent', 'help', 'comp'), ['completion'])
  assert.equal((await query('agent', '')).slice(-3), ['help', '--help', '--version'])
})

test('a shell that is not known is told the known ones', async () => {
  const { code, stderr } = await runAgent(['completion', 'tcsh'])

  assert.is(code, 2)
  assert.is(
    stderr,
    'agent: There is no completion for "tcsh" [ERR_CONFIG_INVALID]\nUse one of: bash, zsh, fish.\n',
  )
})

test('the manual page has no fault, every command and every flag, and the date it is given', async ({
  directory,
}) => {
  const { stdout } = await runAgent(['man-page'], { environment: { SOURCE_DATE_EPOCH: '86400' } })
  const path = join(directory, 'agent.1')
  await writeFile(path, stdout)
  const read = async (program: string, ...args: string[]) => {
    const environment = { ...process.env, MANWIDTH: '200', LC_ALL: 'C.UTF-8' }
    const limits = { env: environment, timeout: LIMIT_MS }
    const answer = await promisify(execFile)(program, [...args, path], limits)
    assert.is(answer.stderr, '')
    return answer.stdout
  }

  assert.is(await read('mandoc', '-Tlint'), '')
  assert.is(await read('groff', '-man', '-ww', '-z'), '')
  const page = await read('man', '--warnings', '-l')
  assert.match(page, '1970-01-02')
  for (const command of await commandNames()) {
    assert.match(page, new RegExp(`^ +agent ${command}\\b`, 'm'))
    for (const flag of await flagsInHelp(command))
      assert.match(page, new RegExp(`^ +${flag}\\s`, 'm'))
    const lines = page.split('\n').map((line) => line.trim())
    for (const line of await notesInHelp(command)) assert.ok(lines.includes(line.trim()), line)
  }
  assert.not.match(stdout + page, /%[0-9A-F]{2}/)
})

test('every command shows an example in its help', async () => {
  for (const command of await commandNames()) {
    const { stdout } = await runAgent([command, '--help'])
    assert.match(stdout, new RegExp(`\\nExamples?:\\n(.*\\n)* .*agent ${command}`), command)
  }
})

async function commandNames(): Promise<string[]> {
  const { stdout } = await runAgent(['--help'])
  const names = [...stdout.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name = '']) => name)
  assert.ok(names.includes('run'))
  return names
}

function flagsIn(screen: string): Set<string> {
  return new Set(screen.match(/--[a-z][a-z-]*/g) ?? [])
}

async function flagsInHelp(command: string): Promise<string[]> {
  const { stdout } = await runAgent([command, '--help'])
  return [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag = '']) => flag).concat('--help')
}

/** Exit codes and examples, which are to be copied as they are. */
async function notesInHelp(command: string): Promise<string[]> {
  const { stdout } = await runAgent([command, '--help'])
  const [notes = ''] = /^(Exit code|Examples?):$[\s\S]*/m.exec(stdout) ?? []
  assert.is.not(notes, '', command)
  return notes.replaceAll('…', '...').split('\n')
}

async function completeInBash(directory: string, words: readonly string[]): Promise<string[]> {
  const script = `
    source <("$1" completion bash); shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _agent && ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"`
  const args = ['--norc', '-c', `${script}; true`, 'bash', BINARY, ...words]
  const { stdout } = await promisify(execFile)('bash', args, { cwd: directory, timeout: LIMIT_MS })
  return stdout.split('\n').slice(0, -1)
}

test.run()
