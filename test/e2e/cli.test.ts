/** What a person, a script and a pipeline see of `agent`: texts, exit codes, signals, streams. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent, runJob, startAgent, startJob } from '../helpers/agent.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { startAtTerminal } from '../helpers/terminal.ts'

interface Context {
  directory: string
}

const test = suite<Context>('command line')
const BINARY = resolve('dist/agent')
const LIMIT_MS = 30_000

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'cli-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

const job = (...directives: string[]) => ({
  commands: directives.map((directive) => ({ directive })),
})

/** By each the agent has had its turn. */
const SOME_MORE = Array<string>(5).fill('true')

test('version and help are printed, and end with 0', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))

  assert.is((await runAgent(['version'])).stdout, `${version}\n`)
  assert.is((await runAgent(['--version'])).stdout, `${version}\n`)
  for (const args of [[], ['--help'], ['-h'], ['help']]) {
    const { code, stdout } = await runAgent(args)
    assert.is(code, 0)
    assert.match(stdout, /^ {2}run +Run the job described in a file/m)
  }
  for (const args of [
    ['run', '--help'],
    ['help', 'run'],
    ['run', 'x', '-h'],
  ]) {
    const { code, stdout } = await runAgent(args)
    assert.is(code, 0)
    for (const flag of ['--format', '--no-color', '--stop-grace-period', '--callback-retry-att']) {
      assert.match(stdout, flag)
    }
  }
})

test('SIGUSR1 opens no debugger on the agent, and reaches those whom a job sends it to', async () => {
  const { code, stdout, stderr } = await runJob(
    job('kill -USR1 $PPID', "bash -c 'kill -USR1 $$'; echo ended by $?", ...SOME_MORE),
  )

  assert.is(code, 0, stderr)
  assert.match(stdout, 'ended by 138')
  assert.not.match(stderr, 'Debugger')
})

test('the exit code is the result', async () => {
  assert.is((await runJob(job('true'))).code, 0)
  assert.is((await runJob(job('false'))).code, 1)
  assert.is((await runJob(job('return 130'))).code, 130)
})

test('a log to read has headers, output, verdicts, and a table at the end', async ({
  directory,
}) => {
  const path = join(directory, 'job.yaml')
  await writeFile(
    path,
    'commands:\n  - {directive: "echo hi; echo err >&2", alias: Greet}\n  - directive: (exit 3)\n',
  )

  const { stdout, stderr } = await runAgent(['run', path])

  const text = stdout.replace(/\b\d+ ms|\d\.\d s/g, 'T')
  assert.match(
    text,
    '▶ Greet\nRunning: echo hi; echo err >&2\nhi\nerr\n✓ T\n\n▶ (exit 3)\n✗ exit code 3, T\n',
  )
  assert.match(text, /\n {2}✓ Greet +0 +T\n {2}✗ \(exit 3\) +3 +T\n/)
  assert.match(text, /\n✗ \(exit 3\): exit code 3\n {2}To investigate, .*agent attach/)
  assert.ok(text.endsWith('\nJob failed in T\n'))
  assert.is(stderr, '')
})

test('--format json prints the event log and nothing else', async () => {
  const { stdout } = await runJob({ ...job('echo hi'), colour: 1 })

  for (const line of stdout.trimEnd().split('\n')) assert.ok('event' in JSON.parse(line), line)
})

test('keys nobody knows are named once, on stderr', async () => {
  const { code, stderr } = await runJob({
    ...job('true', 'true'),
    colour: 1,
    logger: { shade: 'x' },
  })

  assert.is(code, 0)
  assert.is(stderr, 'agent: warn: Unknown keys in - are ignored: logger.shade, colour\n')
})

test('colours are for terminals', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, 'commands: [{directive: "true"}]\n')
  const onTerminal = async (flags: string, env: NodeJS.ProcessEnv = {}) => {
    const command = `'${BINARY}' run ${flags} '${path}'`
    const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], HOME: directory, TERM: 'xterm', ...env },
      timeout: LIMIT_MS,
    })
    return stdout.includes('\x1b[')
  }

  assert.is(await onTerminal(''), true)
  assert.is(await onTerminal('--no-color'), false)
  assert.is(await onTerminal('', { NO_COLOR: '1' }), false)
  assert.not.match((await runAgent(['run', path])).stdout, '\x1b[')
  assert.match(
    (await runAgent(['run', path], { environment: { FORCE_COLOR: '1' } })).stdout,
    '\x1b[',
  )
})

test('a terminal shows what a stop waits for, and is left as it was', async ({ directory }) => {
  const path = join(directory, 'job.json')
  const stubborn = `trap '' TERM; echo wai""ts; bash -c 'trap "" TERM; sleep 1000'`
  await writeFile(path, JSON.stringify(job(`printf '\\e[?25l%s\\n' spin`, stubborn)))
  const person = startAtTerminal(BINARY, ['run', '--stop-grace-period', '3s', path], {
    HOME: directory,
  })

  await person.sees('\x1b[?25lspin')
  await person.sees('\x1b[?25h')
  await person.sees('\nwaits')
  person.type('\x03')
  await person.sees('\r\x1b[KStopping')
  await person.sees('Job stopped')
  assert.is(await person.ends(), 130)
})

test('a user whom the system does not know, without a home, runs jobs like any other', async () => {
  const asStranger = async (words: string) =>
    await promisify(execFile)(
      'setpriv',
      ['--reuid=54321', '--regid=54321', '--clear-groups', 'bash', '-c', words, BINARY],
      { env: { PATH: process.env['PATH'] }, cwd: '/', timeout: LIMIT_MS },
    ).catch((error: unknown) => error as { stdout: string; stderr: string })

  const ran = await asStranger(`echo 'commands: [{directive: "id -u; pwd"}]' | "$0" run -`)
  const attached = await asStranger('"$0" attach')
  const examined = await asStranger('"$0" doctor')
  const places = (await readdir('/tmp')).filter((name) => name.startsWith('agent-jobs-54321-'))
  for (const name of places) await rm(join('/tmp', name), { recursive: true })

  assert.match(ran.stdout, '\n54321\n/\n')
  assert.match(ran.stdout, 'Job passed')
  assert.is(places.length, 1)
  assert.is(ran.stderr, '')
  assert.match(attached.stderr, 'This user has no running job on this machine')
  assert.match(examined.stdout, 'as user 54321')
  assert.match(examined.stdout, /ok +login /)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} stops the job, and says so`, async () => {
    const marker = `sleep 1000.${process.pid}`
    const agent = await startJob(job(`echo on; ${marker}`))
    await waitFor(() => agent.stdout.includes('"on\\n"'), 'the command runs')

    agent.signal(signal)

    const { code, result, stderr } = await agent.finished
    assert.is(code, 130)
    assert.is(result, 'stopped')
    assert.match(stderr, /^agent: stopping the job/)
    assert.equal(processesMatching(marker), [])
  })
}

test('a second signal does not wait for the grace period', async () => {
  const agent = await startJob(job(`trap '' TERM HUP; echo on; while :; do sleep 0.05; done`), {
    args: ['--stop-grace-period', '1h'],
  })
  await waitFor(() => agent.stdout.includes('"on\\n"'), 'the command runs')

  agent.signal('SIGINT')
  await waitFor(() => agent.stderr.includes('stopping'), 'the first signal is heard')
  agent.signal('SIGINT')

  assert.is((await agent.finished).code, 130)
})

for (const format of ['text', 'json']) {
  test(`a reader of ${format} that goes away ends neither agent nor job`, async ({ directory }) => {
    const done = join(directory, 'done')
    const go = join(directory, 'go')
    const directives = [
      'echo on',
      `until [ -e ${go} ]; do sleep 0.02; done; seq 100000; touch ${done}`,
    ]
    const agent = await startAgent(['run', '--format', format, '-'], {
      input: JSON.stringify(job(...directives)),
    })
    await waitFor(() => agent.stdout.includes('on'), 'the job runs')

    agent.closeOutput()
    await writeFile(go, '')

    const { code, stderr } = await agent.exited
    assert.is(code, 0)
    assert.is(stderr, '')
    assert.ok(existsSync(done))
  })
}

test('a reader that stalls holds back the job, and a second signal ends it all the same', async () => {
  const child = spawn(BINARY, ['run', '-'], { env: { PATH: process.env['PATH'], HOME: '/' } })
  child.stdin.end(JSON.stringify(job('seq 100000000')))
  const exited = once(child, 'exit') // not close: nobody reads its output
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  await waitFor(() => processesMatching('seq 100000000').length > 0, 'output comes')

  child.kill('SIGINT')
  await waitFor(() => stderr.includes('stopping'), 'the first signal is heard')
  child.kill('SIGINT')

  assert.equal(await exited, [130, null])
  assert.equal(processesMatching('seq 100000000'), [])
  child.stdout.destroy()
})

test('a full disk under standard output ends the job, and says so', async ({ directory }) => {
  const path = join(directory, 'job.yaml')
  await writeFile(path, 'commands: [{directive: "sleep 1000"}]\n')
  const script = `'${BINARY}' run '${path}' > /dev/full`

  const error = await promisify(execFile)('bash', ['-c', script], {
    env: { PATH: process.env['PATH'], HOME: directory },
    timeout: LIMIT_MS,
  }).catch((reason: unknown) => reason)

  const { code, stderr } = error as { code: number; stderr: string }
  assert.is(code, 1)
  assert.match(stderr, 'The log cannot be written to standard output: ENOSPC')
})

test('what cannot be printed is told, and is a failure', async () => {
  for (const words of ['--help', 'version', 'man-page', 'completion zsh', 'doctor --format json']) {
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', `'${BINARY}' ${words} 2>&1 >/dev/full; echo "ended with $?"`],
      { timeout: LIMIT_MS },
    )
    assert.match(stdout, 'Standard output cannot be written to: ENOSPC', words)
    assert.match(stdout, 'ended with 2')
  }
})

test('help into a pipe that is closed is no failure', async () => {
  const { stdout, stderr } = await promisify(execFile)(
    'bash',
    ['-c', `{ '${BINARY}' --help; echo "status $?" >&2; } | true`],
    { timeout: LIMIT_MS },
  )

  assert.is(stdout, '')
  assert.is(stderr, 'status 0\n')
})

test.run()
