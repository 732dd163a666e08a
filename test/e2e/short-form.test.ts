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

for (const place of PLACES) {
  test(`${place}: a command needs no file`, async ({ directory }) => {
    await writeFile(join(directory, 'given.txt'), 'given\n')
    const image = place === 'host' ? [] : ['--image', IMAGE]
    const print = ['printf', '<%s>', "it's", '$HOME']

    const [one, several] = await Promise.all([
      run(directory, [...image, '--env', 'A=1,B=2', '--', 'cat given.txt; echo "$A$B"; exit 3']),
      run(directory, [...image, '--format', 'json', '--', ...print]),
    ])

    assert.is(one.code, 1, one.stderr)
    assert.match(one.stdout, '\ngiven\n12\n')
    assert.is(several.code, 0, several.stderr)
    assert.match(several.stdout, "<it's><$HOME>")
  })
}

test('commands are chosen by number or name, and may go on after one that fails', async (t) => {
  const text =
    'commands: [echo "=1", { name: Two, run: "false" }, echo "=3"]\non_fail: [echo "=f"]\n'
  await writeFile(join(t.directory, 'job.yaml'), text)

  for (const [args, code, shown] of [
    [['--from', 'Two'], 1, '=f'],
    [['--from', '3'], 0, '=3'],
    [['--only', '1'], 0, '=1'],
    [['--keep-going'], 1, '=1 =3 =f'],
  ] as const) {
    const exit = await run(t.directory, [...args, 'job.yaml'])
    assert.is(exit.code, code, exit.stderr)
    assert.is(exit.stdout.match(/^=.$/gm)?.join(' '), shown, args.join(' '))
  }
  for (const [args, complaint] of [
    [['--only', 'Three', 'job.yaml'], '--only: the job has no command "Three"'],
    [['--only', '4', 'job.yaml'], '  2  Two\n  3  echo "=3"\n'],
    [['--only', '1', '--from', '1', 'job.yaml'], '--from and --only were both given'],
    [['--image', 'x', 'job.yaml'], '--image is only for a command after --'],
    [['job.yaml', '--', 'true'], 'both job.yaml and a command after --'],
    [['--'], 'agent run needs FILE, or a command after --'],
  ] as const) {
    const exit = await run(t.directory, args)
    assert.is(exit.code, 2)
    assert.match(exit.stderr, complaint)
  }
})

for (const place of PLACES) {
  test(`${place}: a job is explained, and nothing is done`, async ({ directory }) => {
    await writeFile(join(directory, 'job.yaml'), jobIn(place))
    await writeFile(join(directory, '.env'), 'FROM_FILE=x\n')
    await writeFile(join(directory, 'given.txt'), 'given\n')
    const explain = async (...args: string[]) =>
      await runAgent(['explain', '--env-vars', 'GREETING=x,HOST=y', ...args, 'job.yaml'], {
        cwd: directory,
        environment: { DEPLOY: SECRET },
      })

    const text = await explain()
    const json = await explain('--format', 'json')

    assert.is(text.code, 0, text.stderr)
    assert.match(text.stdout, 'Nothing has been started.')
    assert.match(text.stdout, /\nMasked in the log:\n {2}DEPLOY\n/)
    assert.match(text.stdout, /\n {2}\d {2}if failed +echo "as expected"\n/)
    assert.not.match(text.stdout + json.stdout, SECRET)
    const explanation = JSON.parse(json.stdout)
    const origins = Object.fromEntries(
      explanation.variables.map(({ name, from }: Record<string, string>) => [name, from]),
    )
    assert.is(origins['GREETING'], 'request')
    assert.is(origins['HOST'], 'host setting')
    assert.equal(explanation.ignored, ['GREETING of the host setting: replaced by a later one'])
    assert.equal(explanation.files, [{ path: '/tmp/short-form/given', mode: '0600', bytes: 6 }])
    if (place === 'host') return
    assert.is(explanation.images[0].present, true)
    assert.equal(explanation.mounts, [{ source: directory, target: '/workdir' }])
    assert.equal(
      explanation.containers.map(({ name, role }: Record<string, string>) => `${name} ${role}`),
      ['main main', 'beside service'],
    )
  })
}

test('the first job file of a project fits it, can be used, and replaces none', async ({
  directory,
}) => {
  await writeFile(join(directory, 'package.json'), '{}')

  const { code, stdout, stderr } = await runAgent(['init'], { cwd: directory })
  const again = await runAgent(['init'], { cwd: directory })
  const printed = await run(directory, ['--print-request', 'job.yaml'])

  assert.is(code, 0, stderr)
  assert.is(stdout, 'job.yaml written, for package.json. Run it: agent run job.yaml\n')
  assert.is(again.code, 2)
  assert.match(again.stderr, /^agent: job\.yaml already exists/)
  const { compose, commands } = JSON.parse(printed.stdout)
  assert.is(compose.containers[0].image, 'node:24')
  assert.equal(commands.slice(1), [{ directive: 'npm install' }, { directive: 'npm test' }])
})

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
