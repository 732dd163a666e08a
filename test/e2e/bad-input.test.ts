/** What cannot be carried out is refused before anything starts: exit code 2, and why on stderr. */

import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent } from '../helpers/agent.ts'

interface Context {
  directory: string
}

const test = suite<Context>('bad input')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'bad-input-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

/** Runs the document, which must be refused. @returns what a person reads */
async function refusalOf(input: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runAgent(['run', ...args, '-'], { input })
  assert.is(code, 2, stderr)
  assert.is(stdout, '')
  return stderr
}

test('all problems of a document are told at once, each with its path', async () => {
  const document = {
    executor: 'kubernetes',
    commands: [{ directive: 'true' }, {}, { directive: 3 }],
    env_vars: [{ name: 'A', value: 1 }],
    callbacks: { finished: 'somewhere' },
  }

  const stderr = await refusalOf(JSON.stringify(document))

  for (const problem of [
    'executor: expected "shell" or "dockercompose", got "kubernetes"',
    'commands[1].directive: expected a string',
    'commands[2].directive: expected a string, got a number',
    'env_vars[0].value: expected a string of base64, got a number',
    'callbacks.finished: expected an http:// or https:// URL',
  ]) {
    assert.match(stderr, problem)
  }
})

test('a container job without containers is refused', async () => {
  assert.match(
    await refusalOf('{"executor": "dockercompose", "commands": []}'),
    'compose.containers: expected at least one container',
  )
})

test('nothing is started, not even what comes before the mistake', async ({ directory }) => {
  const trace = join(directory, 'trace')

  await refusalOf(
    JSON.stringify({ commands: [{ directive: `touch ${trace}` }], env_vars: 'A=1' }),
    '--format',
    'json',
  )

  assert.not(existsSync(trace))
})

test('a syntax error is told with line, column and the line itself', async () => {
  const stderr = await refusalOf('commands:\n  - directive: echo a: b\n')

  assert.match(stderr, /standard input:2:16: .*\n +- directive: echo a: b\n {17}\^\n/)
})

test('an empty document, and one that is no object, are told as such', async () => {
  assert.match(await refusalOf(''), 'expected a job, got an empty document')
  assert.match(await refusalOf('[]'), 'expected an object with the fields of a job, got a list')
})

test('a file that is not there, or no file, is named', async ({ directory }) => {
  const missing = await runAgent(['run', join(directory, 'nope.yaml')])
  assert.is(missing.code, 2)
  assert.match(missing.stderr, `${directory}/nope.yaml: there is no such file`)

  const wrong = await runAgent(['run', directory])
  assert.is(wrong.code, 2)
  assert.match(wrong.stderr, `${directory}: it is a directory`)
})

test('a file to embed that cannot be read is named by its field', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, 'files:\n  - { path: x, file: nope.txt }\n')

  const { code, stderr } = await runAgent(['run', path])

  assert.is(code, 2)
  assert.match(stderr, 'files[0].file: nope.txt cannot be read: there is no such file')
})

test('calls that cannot be carried out are told in a line, with where to look', async () => {
  const calls: ReadonlyArray<readonly [args: string[], complaint: string]> = [
    [['rnu'], 'unknown command "rnu"\nDid you mean run? Use one of: run, serve, '],
    [['--nope'], 'unknown command "--nope"'],
    [['run'], 'agent run needs FILE'],
    [['run', 'a', 'b'], 'agent run: unexpected argument "b"'],
    [
      ['run', '--formt', 'json', '-'],
      'agent run: unknown option --formt\nDid you mean --format? See ',
    ],
    [['run', '--format', 'xml', '-'], '--format: expected text or json, got "xml"'],
    [['run', '-', '--stop-grace-period', '10'], '--stop-grace-period: expected a duration'],
    [['run', '-', '--callback-retry-attempts', '0'], '--callback-retry-attempts: expected a whole'],
    [['run', '-', '--format'], '--format needs a value'],
    [
      ['run', '-', '--files', '/a'],
      '--files: expected host:dest,…, got a part without ":"\nWrite it as host:dest.\n',
    ],
    [['version', 'now'], 'agent version: unexpected argument "now"'],
  ]
  for (const [args, complaint] of calls) {
    const { code, stdout, stderr } = await runAgent(args)

    assert.is(code, 2, args.join(' '))
    assert.is(stdout, '')
    assert.match(stderr, ' [ERR_CONFIG_INVALID]\n')
    const said = stderr.replace(' [ERR_CONFIG_INVALID]', '')
    assert.ok(said.startsWith(`agent: ${complaint}`), stderr)
    assert.is(stderr.trimEnd().split('\n').length, 2)
  }
})

test('an engine elsewhere than on a Unix socket is refused', async () => {
  const { code, stderr } = await runAgent(['run', '-'], {
    input: '{}',
    environment: { DOCKER_HOST: 'tcp://127.0.0.1:2375' },
  })

  assert.is(code, 2)
  assert.match(
    stderr,
    'DOCKER_HOST: expected unix:///path/to/docker.sock, got "tcp://127.0.0.1:2375"',
  )
})

test.run()
