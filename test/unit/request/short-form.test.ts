/** What a person writes becomes the long form, and mistakes are told of what they have written. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { describeProblem, type RequestError } from '../../../lib/errors.ts'
import { type LocalJob, loadJobFile } from '../../../lib/request/job-file.ts'

interface Context {
  directory: string
}

const test = suite<Context>('request: short form')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'short-form-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

const ENVIRONMENT = { NPM_TOKEN: 'hunter-22', EMPTY: '' }

async function load(text: string, directory = '.'): Promise<LocalJob> {
  const path = join(directory, 'job.yaml')
  const options = { defaultId: 'a', environment: ENVIRONMENT }
  if (directory === '.')
    return await loadJobFile('-', [Buffer.from(text)].values() as never, options)
  await writeFile(path, text)
  return await loadJobFile(path, [].values() as never, options)
}

async function problemsOf(text: string): Promise<string[]> {
  const error = await load(text).then(
    () => undefined,
    (reason: unknown) => reason as RequestError,
  )
  return (error?.problems ?? []).map((problem) =>
    describeProblem(problem).replace('standard input:', ''),
  )
}

function variablesOf({ request }: LocalJob): string[] {
  return request.envVars.map(({ name, value, secret }) => {
    return `${name}=${decode(value)}${secret === true ? ' (secret)' : ''}`
  })
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString()
}

test('everything of the short form has its place in the long form', async (t) => {
  await writeFile(join(t.directory, '.env'), '# of the team\nFROM_FILE="a b"\nCI=no\n')
  await writeFile(join(t.directory, 'app.conf'), 'colour = blue\n')

  const job = await load(
    `image: node:24
services: { db: postgres:17, cache: { image: redis:8, memory: 64m, env: { A: 1 } } }
env: { CI: "true", GREETING: hello world }
secrets: [NPM_TOKEN]
env_file: .env
files: { ~/.npmrc: { text: "registry=x", mode: "0600" }, /etc/app.conf: { file: ./app.conf, secret: true } }
workdir: .
commands: [npm ci, { name: Test, run: npm test }, { directive: a, alias: b }]
always: [echo done]
on_pass: [{ run: a }]
on_fail: [b]
timeout: 20m
`,
    t.directory,
  )

  const { request, workdir } = job
  assert.is(request.executor, 'dockercompose')
  assert.equal(
    request.compose?.containers.map(({ name, image }) => `${name} ${image}`),
    ['main node:24', 'db postgres:17', 'cache redis:8'],
  )
  const cache = request.compose?.containers[2]
  assert.is(cache?.memoryBytes, 64 * 1024 ** 2)
  assert.equal(
    cache?.envVars.map(({ name, value }) => `${name}=${decode(value)}`),
    ['A=1'],
  )
  assert.equal(variablesOf(job), [
    'CI=no',
    'FROM_FILE=a b',
    'CI=true',
    'GREETING=hello world',
    'NPM_TOKEN=hunter-22 (secret)',
  ])
  assert.equal(
    request.files.map(({ path, content, mode, secret }) => [path, decode(content), mode, secret]),
    [
      ['~/.npmrc', 'registry=x', '0600', undefined],
      ['/etc/app.conf', 'colour = blue\n', '0644', true],
    ],
  )
  assert.equal(request.commands, [
    { directive: 'npm ci', alias: undefined },
    { directive: 'npm test', alias: 'Test' },
    { directive: 'a', alias: 'b' },
  ])
  const epilogues = [request.epilogueAlways, request.epilogueOnPass, request.epilogueOnFail]
  assert.equal(
    epilogues.flat().map(({ directive }) => directive),
    ['echo done', 'a', 'b'],
  )
  assert.is(request.timeoutInSeconds, 1_200)
  assert.is(workdir, process.cwd())
  assert.equal(request.unknownKeys, [])
})

test('both forms mix, and JSON is as good as YAML', async () => {
  const job = await load(
    JSON.stringify({
      executor: 'dockercompose',
      compose: { containers: [{ name: 'own', image: 'a', env: { B: 2 } }] },
      services: [{ name: 'db', image: 'b', files: { '/x': { text: 'y' } } }],
      env: { A: '1' },
      env_vars: [{ name: 'A', value: 'Mg==' }],
      commands: ['x', { directive: 'y' }],
      epilogue_always_commands: ['z'],
      files: [{ path: 'a', text: 'b' }],
    }),
  )

  const { compose, files, epilogueAlways } = job.request
  assert.equal(
    compose?.containers.map(({ name }) => name),
    ['own', 'db'],
  )
  assert.is(decode(compose?.containers[0]?.envVars[0]?.value ?? ''), '2')
  assert.is(decode(compose?.containers[1]?.files[0]?.content ?? ''), 'y')
  assert.equal(variablesOf(job), ['A=1', 'A=2'])
  assert.is(decode(files[0]?.content ?? ''), 'b')
  assert.is(epilogueAlways[0]?.directive, 'z')
})

test('booleans and numbers without quotes are what is written', async () => {
  const job = await load(`env: { VERSION: 1.10, YES: true, HEX: 0x1F, MODE: 0644, E: "" }
commands: [false, 12, { run: true }, { directive: false, alias: 1.0 }]
`)

  assert.equal(variablesOf(job), ['VERSION=1.10', 'YES=true', 'HEX=0x1F', 'MODE=0644', 'E='])
  assert.equal(
    job.request.commands.map(({ directive }) => directive),
    ['false', '12', 'true', 'false'],
  )
  assert.is(job.request.commands[3]?.alias, '1.0')
})

test('what is wrong with the whole file has no place in it', async () => {
  assert.equal(await problemsOf('# nothing\n'), [' expected a job, got an empty document'])
  assert.equal(await problemsOf('a: 1\na: 2\n'), [
    '2:1: expected each key once, got this one again\n  a: 2\n  ^',
  ])
})

test('in the long form quotes are asked for', async () => {
  assert.equal(await problemsOf('commands:\n  - directive: false\n'), [
    '2:16: commands[0].directive: expected a string, got a boolean (YAML reads this as a boolean: put it in quotes)',
  ])
})

test('times', async () => {
  for (const [text, seconds] of [
    ['90s', 90],
    ['20m', 1_200],
    ['1h30m', 5_400],
  ] as const) {
    assert.is((await load(`timeout: ${text}`)).request.timeoutInSeconds, seconds)
  }
  for (const text of ['20', '""', '5 m', '1d', '[1m]']) {
    const problem = 'timeout: expected a time with its unit, such as 90s, 20m or 1h30m'
    assert.equal(await problemsOf(`timeout: ${text}`), [`1:10: ${problem}`])
  }
})

test('all mistakes are told at once, as written, in their order, with line and column', async () => {
  const problems = await problemsOf(`image: [x]
services:
  db: { imag: postgres }
  "a b": redis
env: { A: [x], B: }
secrets: [NPM_TOKEN, NOT_THERE, EMPTY]
env_file: /no/such/file
files:
  ~/.npmrc: { text: a, file: b }
  /etc/x: { file: /no/such/file }
  /etc/y: hello
workdir: /no/such/directory
commands:
  - name: nothing to run
  - { run: a, directive: b }
  - [x]
always: echo done
epilogue_always_commands: [x]
timeout_in_seconds: soon
`)

  for (const [at, start] of [
    '1:8: image: expected the name of an image, got a list',
    '3:7: services.db.image: expected the name of an image',
    '4:10: services["a b"]: expected a host name of letters',
    '5:11: env.A: expected a value; "" is an empty one (YAML reads this as a list',
    '5:19: env.B: expected a value; "" is an empty one',
    '6:22: secrets[1]: expected the variable NOT_THERE in the environment of the agent, found none',
    '7:11: env_file: /no/such/file cannot be read: there is no such file',
    '9:21: files["~/.npmrc"].text: expected either text or file, got both',
    '10:19: files["/etc/x"].file: /no/such/file cannot be read: there is no such file',
    '11:11: files["/etc/y"]: expected an object with text, file or content',
    '12:10: workdir: there is no directory /no/such/directory',
    '14:5: commands[0].directive: expected a string',
    '15:12: commands[1].run: expected either run or directive, got both',
    '16:5: commands[2]: expected an object, got a list',
    '17:9: always: expected either always or epilogue_always_commands, got both',
    '19:21: timeout_in_seconds: expected a whole number of seconds',
  ].entries()) {
    assert.ok(problems[at]?.startsWith(start), `${start}\n${problems.join('\n')}`)
  }
  assert.is(problems.length, 16)
})

test('what cannot be together is told', async () => {
  assert.equal(await problemsOf('services: { db: a }\ncommands: []\n'), [
    '1:11: services: expected an image beside it: only a job in containers has services',
  ])
  assert.equal(await problemsOf('image: a\nexecutor: shell\n'), [
    '2:11: executor: expected none, or "dockercompose", beside image or services',
  ])
  assert.equal(await problemsOf('image: a\ncompose: { containers: [{ name: b, image: c }] }'), [
    '1:8: image: expected either image or compose.containers, got both',
  ])
  assert.equal(await problemsOf('image: a\nservices: 3\n'), [
    '2:11: services: expected names and their images, such as { db: "postgres:17" }',
  ])
})

test('unknown keys are told as written, and the value of a secret never', async () => {
  const job = await load('image: a\nservices: { db: { image: b, memroy: 1g } }\ncomands: []\n')
  assert.equal([...job.request.unknownKeys].sort(), ['comands', 'services.db.memroy'])

  const many = await load(
    JSON.stringify(
      Object.fromEntries(
        Array(103)
          .fill(0)
          .map((_, at) => [`k${at}`, 1]),
      ),
    ),
  )
  assert.equal(many.request.unknownKeys.slice(-2), ['k99', '3 more'])

  const problems = await problemsOf('secrets: [NPM_TOKEN]\nenv: [x]\n')
  assert.not.match(problems.join(), 'hunter')
})

test.run()
