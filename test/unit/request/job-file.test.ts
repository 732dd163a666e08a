import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { describeProblem, FileError, RequestError } from '../../../lib/errors.ts'
import { loadJobFile } from '../../../lib/request/job-file.ts'

interface Context {
  directory: string
}

const test = suite<Context>('request: job file')

async function* noInput(): AsyncGenerator<Uint8Array> {}

async function* inputOf(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

async function rejectionOf(path: string, input = noInput()): Promise<Error> {
  const error = await loadJobFile(path, input, { defaultId: 'a' }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.instance(error, Error)
  return error as Error
}

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'job-file-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('a file is read, a byte order mark is skipped', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, '\ufeffjob_id: a\n')

  assert.is((await loadJobFile(path, noInput())).request.id, 'a')
})

test('- reads standard input, however it was cut', async () => {
  assert.is((await loadJobFile('-', inputOf('job_', 'id: "', 'a"'))).request.id, 'a')
})

test('a file that cannot be read is named, with the reason', async ({ directory }) => {
  const missing = join(directory, 'nope.yaml')
  const error = await rejectionOf(missing)
  assert.instance(error, FileError)
  assert.is(error.message, `The job cannot be read from ${missing}: there is no such file`)

  const { message } = await rejectionOf(directory)
  assert.is(message, `The job cannot be read from ${directory}: it is a directory`)
})

test('a file that is no text is refused', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]))

  assert.match((await rejectionOf(path)).message, /it is not UTF-8 text$/)
})

test('an endless file is not read to its end', async () => {
  let pieces = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      pieces++
      yield Buffer.alloc(1024 * 1024, ' ')
    }
  }

  const { message } = await rejectionOf('-', endless())

  assert.is(message, 'The job cannot be read from standard input: it is larger than 67108864 bytes')
  assert.is(pieces, 65)
})

test('mistakes name the file, or standard input', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, 'a: 1\na: 2\n')

  assert.match((await rejectionOf(path)).message, `${path}:2:1: `)
  assert.match((await rejectionOf('-', inputOf('a: 1\na: 2\n'))).message, 'standard input:2:1: ')
})

test('file: takes the content of a file beside the job file', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await mkdir(join(directory, 'parts'))
  await writeFile(join(directory, 'parts', 'a b.bin'), Buffer.from([0, 255]))
  await writeFile(
    path,
    `job_id: a
files:
  - { path: x, file: parts/a b.bin, mode: "0600" }
  - { path: y, content: eA== }
  - { path: z, file: ${join(directory, 'parts', 'a b.bin')} }
`,
  )

  assert.equal((await loadJobFile(path, noInput())).request.files, [
    { path: 'x', mode: '0600', content: 'AP8=', secret: undefined },
    { path: 'y', mode: '0644', content: 'eA==', secret: undefined },
    { path: 'z', mode: '0644', content: 'AP8=', secret: undefined },
  ])
})

test('all files that cannot be embedded are told at once', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(
    path,
    `files:
  - { path: x, file: nope }
  - { path: y, file: ., content: eA== }
  - { path: z, file: . }
  - { path: z, file: 3 }
  - 7
compose:
  containers: [{ name: a, image: b }, { name: c, image: b, files: [{ path: x, file: nope }] }]
  image_pull_credentials: [{ files: [{ path: x, file: nope }] }]
`,
  )

  const error = await rejectionOf(path)

  assert.instance(error, RequestError)
  assert.equal((error as RequestError).problems.map(describeProblem), [
    `${path}:2:22: files[0].file: nope cannot be read: there is no such file`,
    `${path}:3:22: files[1].file: expected either file or content, got both`,
    `${path}:4:22: files[2].file: . cannot be read: it is a directory`,
    `${path}:5:22: files[3].file: expected the path of a file on this machine (YAML reads this as a number: put it in quotes)`,
    `${path}:6:5: files[4]: expected an object, got a number`,
    `${path}:8:85: compose.containers[1].files[0].file: nope cannot be read: there is no such file`,
    `${path}:9:55: compose.image_pull_credentials[0].files[0].file: nope cannot be read: there is no such file`,
  ])
  assert.is((error as RequestError).hint, `Correct ${path} and run it again.`)
})

test('what YAML reads as something else than text is told to be in need of quotes', async () => {
  const texts: ReadonlyArray<readonly [text: string, complaint: string]> = [
    [
      'commands:\n  - directive: false',
      'directive: expected a string, got a boolean (YAML reads this as a boolean: put it in quotes)',
    ],
    ['commands:\n  -\n    directive: 12', 'got a number (YAML reads this as a number: put'],
    ['commands: [{directive: ~}]', 'directive: expected a string (YAML reads this as null: put'],
    [
      'commands:\n  - directive:\n  - directive: x',
      'expected a string (YAML reads nothing as null: put',
    ],
    ['commands:\n  - directive: [ -f x ]', 'got a list (YAML reads this as a list: put'],
    ['commands:\n  - directive: { a }', 'got an object (YAML reads this as an object: put'],
    ['job_id: 1.10', 'job_id: expected a string, got a number (YAML reads'],
    ['env_vars:\n  - {name: true, value: 0x1F}', 'name of a variable, got a boolean (YAML reads'],
    ['env_vars:\n  - {name: true, value: 0x1F}', 'base64, got a number (YAML reads'],
    [
      'executor: dockercompose\ncompose: {containers: [{name: a, image: 1.10, entrypoint: [sleep, 9]}]}',
      'image: expected the name of an image, got a number (YAML',
    ],
    [
      'executor: dockercompose\ncompose: {containers: [{name: a, image: b, entrypoint: [sleep, 9]}]}',
      'entrypoint[1]: expected a string, got a number (YAML',
    ],
    [
      'executor: dockercompose\ncompose: {containers: [{name: 5432, image: b}]}',
      'name: expected a string, got a number (YAML',
    ],
    [
      'files:\n  - {path: x, file: 3}',
      'files[0].file: expected the path of a file on this machine (YAML',
    ],
  ]
  for (const [text, complaint] of texts) {
    const { message } = await rejectionOf('-', inputOf(text))
    assert.ok(message.includes(complaint), `${text}\n${message}`)
  }
})

test('where quotes would not help, they are not spoken of', async () => {
  for (const text of [
    'commands: false',
    'commands:\n  - directive: {a: b}\n    alias: "1"\n  - 3',
    'commands:\n  - directive:\n      a: b',
    'logger: {max_size_in_bytes: x}',
    'commands: [{directive: "false"}, {alias: x}]',
  ]) {
    const { message } = await rejectionOf('-', inputOf(text))
    const spoken = message.split('\n').filter((line) => line.includes('in quotes'))
    assert.equal(
      spoken.filter((line) => !line.includes('directive: expected a string, got an object')),
      [],
      message,
    )
  }
})

test.run()
