/** Job files as a person writes them, on the host and in containers. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Exit, type RunOptions, runAgent } from '../helpers/agent.ts'
import { IMAGE } from '../helpers/container-job.ts'
import { PLACES, type Place } from '../helpers/in-job.ts'
import { createJobId } from '../helpers/job-id.ts'

interface Context {
  directory: string
}

const test = suite<Context>('short form')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'short form-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

/** Printed below, where it must not be seen. */
const SECRET = 'hunter22-and-more'

const jobIn = (place: Place) => `job_id: ${createJobId()}
${place === 'host' ? '' : `image: ${IMAGE}\nservices: { beside: { image: ${IMAGE}, command: sleep 1000 } }`}
env: { GREETING: hello world, VERSION: 1.10 }
secrets: [DEPLOY]
env_file: .env
files: { /tmp/short-form/given: { file: ./given.txt, mode: 0600 } }
workdir: .
commands:
  - echo "[$GREETING] [$VERSION] [$FROM_FILE] [$DEPLOY]"
  - name: Look around
    run: cat given.txt && cat /tmp/short-form/given && touch made && echo "in $PWD"
  ${place === 'host' ? '' : '- getent hosts beside'}
  - false
on_fail: [echo "as expected"]
always: [rm -r /tmp/short-form]
timeout: 2m
`

async function run(
  directory: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Exit> {
  return await runAgent(['run', ...args], {
    cwd: directory,
    environment: { DEPLOY: SECRET },
    ...options,
  })
}

for (const place of PLACES) {
  test(`${place}: everything of the short form arrives`, async ({ directory }) => {
    await writeFile(join(directory, 'job.yaml'), jobIn(place))
    await writeFile(join(directory, '.env'), 'FROM_FILE="from the file"\n')
    await writeFile(join(directory, 'given.txt'), 'given\n')

    const { code, stdout, stderr } = await run(directory, ['job.yaml'])

    assert.is(code, 1, stderr)
    assert.match(stdout, '[hello world] [1.10] [from the file] [[secret]]')
    assert.match(stdout, /▶ Look around\nRunning: .*\ngiven\ngiven\n/)
    assert.match(stdout, `in ${place === 'host' ? directory : '/workdir'}\n`)
    assert.match(stdout, /▶ false\n/)
    assert.match(stdout, '\nas expected\n')
    assert.not.match(stdout + stderr, SECRET)
    assert.is(await readFile(join(directory, 'made'), 'utf8'), '')
    if (place === 'container') assert.match(stdout, /▶ getent hosts beside\n\S+ +beside/)
  })

  test(`${place}: the long form is printed without secrets, and runs`, async ({ directory }) => {
    await writeFile(join(directory, 'job.yaml'), jobIn(place))
    await writeFile(join(directory, '.env'), '')
    await writeFile(join(directory, 'given.txt'), 'given\n')

    const { code, stdout, stderr } = await run(directory, ['--print-request', 'job.yaml'])

    assert.is(code, 0, stderr)
    const request = JSON.parse(stdout)
    assert.equal(
      Object.keys(request).filter((key) => /^(image|services|env|workdir)$/.test(key)),
      [],
    )
    assert.match(stdout, '"value": "[secret]"')
    assert.not.match(stdout, Buffer.from(SECRET).toString('base64'))
    assert.is(stderr.includes(`--files ${directory}:/workdir`), place === 'container')
    const input = stdout.replace('"[secret]"', '"eA=="')
    const mount = place === 'container' ? ['--files', `${directory}:/workdir`] : []
    const again = await run(directory, [...mount, '-'], { input })
    assert.is(again.code, 1, again.stderr)
    assert.match(again.stdout, '\nas expected\n')
  })
}

test('a wrong file is to be mended, and every mistake has its place', async ({ directory }) => {
  await writeFile(
    join(directory, 'job.yaml'),
    'env: { A: [x] }\nsecrets: [NOT_THERE]\ncommands: x\n',
  )

  const { code, stderr } = await run(directory, ['job.yaml'])

  assert.is(code, 2)
  for (const problem of [
    'job.yaml:1:11: env.A: expected a value',
    'job.yaml:2:11: secrets[0]: expected the variable NOT_THERE',
    'job.yaml:3:11: commands: expected a list, got a string',
  ]) {
    assert.match(stderr, problem)
  }
  assert.match(stderr, '\nCorrect job.yaml and run it again.\n')
})

test.run()
