/** A job's life on this host: variables, files, epilogues, its end and its leftovers. */

import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'

interface Context {
  /** The job's home, fresh for each test. */
  home: string
}

const test = suite<Context>('shell job')

test.before.each(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'home-'))
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

const variable = (name: string, value: string) => ({ name, value: encode(value) })

test('the events are the documented ones, in their order, with their keys in order', async (t) => {
  const { stdout } = await runJob(
    {
      commands: [{ directive: 'echo hi' }, { directive: 'false', alias: 'Check' }],
      epilogue_always_commands: [{ directive: 'echo always' }],
      epilogue_on_pass_commands: [{ directive: 'echo pass' }],
      epilogue_on_fail_commands: [{ directive: 'echo fail' }],
    },
    { home: t.home },
  )

  const lines = stdout.trimEnd().split('\n')
  const shape = lines.map((line) => line.replace(/("\w+_at"|"timestamp"):\d{10}/g, '$1:N'))
  const block = (directive: string, output: string | undefined, exitCode: number) => [
    `{"event":"cmd_started","timestamp":N,"directive":"${directive}"}`,
    ...(output === undefined ? [] : [`{"event":"cmd_output","timestamp":N,"output":"${output}"}`]),
    `{"event":"cmd_finished","timestamp":N,"directive":"${directive}","exit_code":${exitCode},"started_at":N,"finished_at":N}`,
  ]
  assert.equal(shape, [
    '{"event":"job_started","timestamp":N}',
    ...block('Exporting environment variables', undefined, 0),
    ...block('Injecting Files', undefined, 0),
    ...block('echo hi', 'hi\\n', 0),
    ...block('Check', 'Running: false\\n', 1),
    ...block('Exporting environment variables', 'Exporting SEMAPHORE_JOB_RESULT\\n', 0),
    ...block('echo always', 'always\\n', 0),
    ...block('echo fail', 'fail\\n', 0),
    '{"event":"job_finished","timestamp":N,"result":"failed"}',
  ])
})

test('variables keep every byte, reach login shells too, and leave no trace', async (t) => {
  const odd = 'it\'s "q" $HOME `x` \\ \n\ttwo lines \u20ac'
  const { events } = await runJob(
    {
      env_vars: [variable('ODD', odd), variable('A', '1'), { name: 'RAW', value: '//4=' }],
      commands: [
        { directive: `printf %s "$ODD"` },
        { directive: `printf %s "$RAW" | od -An -tx1` },
        { directive: `env -i HOME="$HOME" bash --login -c 'printf %s "$A"'` },
      ],
    },
    { home: t.home },
  )

  const blocks = blocksOf(events)
  assert.equal(
    blocks.slice(0, 1).map(({ output }) => output),
    ['Exporting A\nExporting ODD\nExporting RAW\n'],
  )
  assert.equal(
    blocks.slice(2, 5).map(({ output }) => output),
    [odd, ' ff fe\n', '1'],
  )
  assert.equal(await readdir(t.home), [])
})

test('a variable that cannot be decoded, or that bash refuses, fails its block', async (t) => {
  for (const [bad, reason] of [
    [{ name: 'X', value: '???' }, /Exporting X\n.*X is not base64/s],
    [variable('not-a-name', '1'), /"not-a-name" is not a name/],
    [variable('UID', '1'), /UID: readonly variable/],
    [
      variable('AGENT_JOB_COOKIE', '1'),
      /Exporting AGENT_JOB_COOKIE\n.*is a name that the agent uses/s,
    ],
  ] as const) {
    const { events, result } = await runJob(
      { env_vars: [bad], commands: [{ directive: 'echo no' }] },
      { home: t.home },
    )

    const [block] = blocksOf(events)
    assert.is(result, 'failed')
    assert.is(block?.exitCode, 1)
    assert.match(block?.output ?? '', reason)
    assert.not.ok(blocksOf(events).some(({ directive }) => directive === 'echo no'))
  }
})

test('files are written where they belong, with their modes, and go with the job', async (t) => {
  await writeFile(join(t.home, 'mine'), 'before')
  const { events, result } = await runJob(
    {
      files: [
        { path: '~/a b/c.txt', content: encode('one\n'), mode: '0600' },
        { path: 'relative/run.sh', content: encode('#!/bin/sh\necho ran\n'), mode: '+x' },
        { path: join(t.home, 'absolute'), content: '//4=', mode: '640' },
        { path: 'mine', content: encode('changed'), mode: '0644' },
      ],
      commands: [
        { directive: 'relative/run.sh; cat "a b/c.txt"; touch relative/own' },
        { directive: `stat -c %a "a b/c.txt" absolute; od -An -tx1 absolute` },
      ],
    },
    { home: t.home },
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(
    blocks[1]?.output,
    `Injecting ~/a b/c.txt with file mode 0600\nInjecting relative/run.sh with file mode +x\nInjecting ${t.home}/absolute with file mode 640\nInjecting mine with file mode 0644\n`,
  )
  assert.is(blocks[2]?.output, 'ran\none\n')
  assert.is(blocks[3]?.output, '600\n640\n ff fe\n')
  // What was there before stays, and so does what the job itself made.
  assert.equal((await readdir(t.home, { recursive: true })).sort(), [
    'mine',
    'relative',
    'relative/own',
  ])
  assert.is(await readFile(join(t.home, 'mine'), 'utf8'), 'changed')
})

test('a bad file mode fails the block, and no command runs', async (t) => {
  const { events, result } = await runJob(
    {
      files: [{ path: 'x', content: encode('x'), mode: 'sideways' }],
      commands: [{ directive: 'echo no' }],
      epilogue_on_fail_commands: [{ directive: 'echo fail' }],
    },
    { home: t.home },
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(
    blocks[1]?.output,
    'Injecting x with file mode sideways\nFailed to set file mode to sideways\n',
  )
  assert.is(blocks[1]?.exitCode, 1)
  assert.not.ok(blocks.some(({ directive }) => directive === 'echo no'))
})

test('a file that can be nowhere fails the block: no try to make its directory goes on', async (t) => {
  await symlink('/no/such/disk', join(t.home, 'link'))

  for (const path of ['~/link/x/y', '/proc/no-such-process/x']) {
    const { events, result, code } = await runJob(
      { files: [{ path, content: encode('x'), mode: '0600' }] },
      { home: t.home },
    )

    assert.is(result, 'failed')
    assert.is(code, 1)
    assert.match(blocksOf(events)[1]?.output ?? '', /^Injecting .*\n.*(E[A-Z]+|no such|exists)/)
  }
})

test('epilogues run in a fresh shell with the variables when the first one died', async (t) => {
  const { events, result } = await runJob(
    {
      env_vars: [variable('A', 'kept')],
      commands: [{ directive: 'LOCAL=1; exit 3' }, { directive: 'echo no' }],
      epilogue_always_commands: [{ directive: 'echo "$A [$LOCAL] $SEMAPHORE_JOB_RESULT"' }],
    },
    { home: t.home },
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(blocks.find(({ directive }) => directive.includes('exit 3'))?.exitCode, 3)
  assert.is(blocks.at(-1)?.output, 'kept [] failed\n')
})

test('exit 0 ends the shell, and so the job, as failed', async (t) => {
  const { result } = await runJob({ commands: [{ directive: 'exit 0' }] }, { home: t.home })

  assert.is(result, 'failed')
})

for (const [value, result, output] of [
  ['passed', 'passed', 'SEMAPHORE_JOB_RESULT=passed - stopping job and marking it as passed'],
  ['failed', 'failed', 'SEMAPHORE_JOB_RESULT=failed - stopping job and marking it as failed'],
  [
    'odd',
    'stopped',
    "SEMAPHORE_JOB_RESULT is set to 'odd' - stopping job and marking it as stopped",
  ],
] as const) {
  test(`a command that returns 130 with SEMAPHORE_JOB_RESULT=${value} stops its job`, async (t) => {
    const { events, ...job } = await runJob(
      {
        commands: [
          { directive: `export SEMAPHORE_JOB_RESULT=${value}; return 130` },
          { directive: 'echo no' },
        ],
        epilogue_always_commands: [{ directive: 'echo epilogue' }],
      },
      { home: t.home },
    )

    const last = blocksOf(events).at(-1)
    assert.is(job.result, result)
    assert.is(last?.directive, 'Checking job result')
    assert.is(last?.output, output)
  })
}

test('the end of a job is the end of every process it started', async (t) => {
  const mark = `1000${Math.floor(Math.random() * 1e6)}`
  await runJob(
    {
      commands: [
        {
          directive: `sleep ${mark} & (setsid sleep ${mark} &) ; nohup sleep ${mark} >/dev/null 2>&1 &`,
        },
        {
          directive: `env -i sleep ${mark} & disown; (setsid bash -c 'trap "" TERM HUP; sleep ${mark}; :' &)`,
        },
      ],
    },
    { home: t.home },
  )

  assert.equal(processesMatching(`sleep ${mark}`), [])
})

for (const [phase, commands, epilogue] of [
  ['a command', 'echo now; sleep 1000; echo no', 'echo epilogue'],
  ['a loop of builtins', 'echo now; while :; do :; done', 'echo epilogue'],
  ['an epilogue', 'true', 'echo now; sleep 1000'],
] as const) {
  test(`a stop during ${phase} ends its block with 1 and the job as stopped`, async (t) => {
    const job = await startJob(
      {
        commands: [{ directive: commands }, { directive: 'echo no' }].slice(
          0,
          phase === 'an epilogue' ? 1 : 2,
        ),
        epilogue_always_commands: [{ directive: epilogue }, { directive: 'echo no' }],
      },
      { home: t.home },
    )
    await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

    job.signal('SIGINT')
    const { code, events, result } = await job.finished

    const last = blocksOf(events).at(-1)
    assert.is(code, 130)
    assert.is(result, 'stopped')
    assert.is(last?.exitCode, 1)
    assert.is(last?.output.startsWith('now\n'), true)
    assert.not.ok(last?.output.includes('\nno\n'))
  })
}

test('TERM comes first, KILL after the grace period, or at the second Ctrl-C', async (t) => {
  const stubborn = {
    commands: [
      { directive: `bash -c 'trap "echo asked" TERM; echo now; while :; do sleep 0.05; done'` },
    ],
  }
  for (const [args, signals] of [
    [['--stop-grace-period', '4s'], 1],
    [['--stop-grace-period', '10m'], 2],
  ] as const) {
    const job = await startJob(stubborn, { home: t.home, args })
    await waitFor(() => job.stdout.includes('now\\n'), 'the command runs')

    job.signal('SIGINT')
    await waitFor(() => job.stdout.includes('asked\\n'), 'it was asked to end')
    if (signals === 2) job.signal('SIGINT')
    const { code, result } = await job.finished

    assert.is(code, 130)
    assert.is(result, 'stopped')
  }
})

test('a reader that goes away does not end the job, nor its exit code', async (t) => {
  const done = join(t.home, 'done')
  const job = await startJob(
    {
      commands: [
        { directive: `for i in $(seq 2000); do echo "line $i"; done; touch ${done}; return 7` },
      ],
    },
    { home: t.home, args: ['--format', 'text'] },
  )

  job.closeOutput()
  const { code } = await job.exited

  assert.is(code, 1)
  assert.ok((await stat(done)).isFile())
})

test('10 MB on one line arrive whole', async (t) => {
  const { events } = await runJob(
    { commands: [{ directive: 'head -c 10000000 /dev/zero | tr "\\0" x' }] },
    { home: t.home },
  )

  assert.is(blocksOf(events).at(-2)?.output.length, 10_000_000)
})

test('numbered lines arrive all, once and in order, whatever their number', async (t) => {
  const { events } = await runJob({ commands: [{ directive: 'seq 300000' }] }, { home: t.home })

  const lines = blocksOf(events).at(-2)?.output.split('\n') ?? []
  assert.is(lines.length, 300_001)
  assert.ok(lines.slice(0, -1).every((line, index) => line === String(index + 1)))
})

test('a login script that fails, prints or asks for input does not harm the job', async (t) => {
  await writeFile(join(t.home, '.bash_profile'), 'echo motd; false; export FROM_PROFILE=1\n')

  const { events, result } = await runJob(
    { commands: [{ directive: 'echo "$FROM_PROFILE"' }] },
    { home: t.home },
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[2]?.output, '1\n')
  assert.is(
    await readFile(join(t.home, '.bash_profile'), 'utf8'),
    'echo motd; false; export FROM_PROFILE=1\n',
  )
})

test('a home that does not exist is no reason to fail: the shell starts elsewhere', async () => {
  const { events, result } = await runJob(
    { commands: [{ directive: 'echo "$PWD"' }] },
    { home: '/nowhere/home' },
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[2]?.output, '/\n')
})

test('50 jobs in a row leave no process and no file', async (t) => {
  const before = await readdir(tmpdir())
  for (let number = 0; number < 50; number++) {
    const { result } = await runJob(
      { commands: [{ directive: 'sleep 1000.5 & echo hi > "$HOME/file"' }] },
      { home: t.home },
    )
    assert.is(result, 'passed')
  }

  assert.equal(processesMatching('sleep 1000.5'), [])
  assert.equal(
    (await readdir(tmpdir())).filter((name) => name.startsWith('agent-') && !before.includes(name)),
    [],
  )
})

test('a login script that exits is told as the reason', async (t) => {
  await writeFile(join(t.home, '.bash_profile'), 'echo "no entry"; exit 4\n')

  const { events, result } = await runJob({ commands: [{ directive: 'true' }] }, { home: t.home })

  assert.is(result, 'failed')
  assert.match(
    blocksOf(events)[0]?.output ?? '',
    /ended with exit code 4 before it was ready.*no entry/s,
  )
})

test.run()
