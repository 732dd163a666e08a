/** A job's life from its request to its last event, with an executor that runs nothing. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ShellError, UndeliveredError } from '../../../lib/errors.ts'
import type { JobEvent, JobResult } from '../../../lib/events/event.ts'
import { Job, type JobOptions } from '../../../lib/job/job.ts'
import { RESULT_QUERY } from '../../../lib/job/self-stop.ts'
import { Masking } from '../../../lib/masking/masking.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'
import { collectingLogger } from '../../helpers/collecting-logger.ts'
import { type ScriptedDirective, ScriptedExecutor } from '../../helpers/scripted-executor.ts'

const test = suite<{ directory: string }>('job: job')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'job-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

const COMMANDS = ['c1', 'c2']
const AFTER_SETUP = ['Exporting environment variables 0', 'Injecting Files 0']
const RESULT = 'Exporting environment variables 0'

const pass: ScriptedDirective = async () => 0
const fail =
  (exitCode: number): ScriptedDirective =>
  async () =>
    exitCode
const say =
  (text: string): ScriptedDirective =>
  async ({ print }) => {
    await print(text)
    return 0
  }

interface Trial {
  readonly job: Job
  readonly executor: ScriptedExecutor
  readonly log: ReturnType<typeof collectingLogger>
  readonly results: JobResult[]
  /** Blocks as `DIRECTIVE EXIT-CODE`, and how the log ends. */
  readonly blocks: () => string[]
  readonly output: () => string
}

/** @param script what directives do; those left out pass */
function prepare(
  script: Readonly<Record<string, ScriptedDirective>>,
  options: Partial<JobOptions> = {},
): Trial {
  const named = [...COMMANDS, 'a1', 'p1', 'f1', 'hook', RESULT_QUERY]
  const defaults = Object.fromEntries(named.map((name) => [name, pass]))
  const executor = new ScriptedExecutor({ ...defaults, ...script })
  const events: JobEvent[] = []
  const results: JobResult[] = []
  const log = collectingLogger()
  const request = parseJobRequest({
    id: 'job-1',
    commands: COMMANDS.map((directive) => ({ directive })),
    epilogue_always_commands: [{ directive: 'a1' }],
    epilogue_on_pass_commands: [{ directive: 'p1' }],
    epilogue_on_fail_commands: [{ directive: 'f1' }],
  })
  const job = new Job({
    request,
    executor,
    sink: { write: (event) => void events.push(event) },
    onResult: async (result) => void results.push(result),
    log,
    masking: new Masking(),
    ...options,
  })
  const blocks = () =>
    events.flatMap((event) => {
      if (event.event === 'cmd_finished') return [`${event.directive} ${event.exit_code}`]
      return event.event === 'job_finished' ? [`=> ${event.result}`] : []
    })
  const output = () =>
    events.map((event) => (event.event === 'cmd_output' ? event.output : '')).join('')
  return { job, executor, log, results, blocks, output }
}

async function finish({ job, results, blocks }: Trial): Promise<string[]> {
  const result = await job.run()
  await job.clear()
  assert.equal(results, [result])
  return blocks()
}

test('a job that passes runs its commands and the epilogues for it, and is disposed of', async () => {
  const trial = prepare({ c1: say('hello') })

  assert.equal(await finish(trial), [
    ...AFTER_SETUP,
    ...['c1 0', 'c2 0', RESULT, 'a1 0', 'p1 0', '=> passed'],
  ])
  assert.is(trial.output().includes('hello'), true)
  assert.is(trial.executor.variables.get('SEMAPHORE_JOB_RESULT'), 'passed')
  assert.is(trial.executor.isDisposed, true)
  assert.equal(trial.log.errors, [])
})

test('after a failed command only epilogues run, and one that fails changes nothing', async () => {
  const trial = prepare({ c1: fail(7), a1: fail(2) })

  assert.equal(await finish(trial), [
    ...AFTER_SETUP,
    ...['c1 7', RESULT, 'a1 2', 'f1 0', '=> failed'],
  ])
})

test('a shell that ends fails its command even with 0, and the epilogues get another one', async () => {
  const trial = prepare({ c1: async () => ({ exit: 0 }) })

  assert.equal(await finish(trial), [
    ...AFTER_SETUP,
    ...['c1 0', RESULT, 'a1 0', 'f1 0', '=> failed'],
  ])
})

for (const [chosen, result] of [
  ['passed', 'passed'],
  ['failed', 'failed'],
  ['', 'stopped'],
] as const) {
  test(`130 ends the job without epilogues: SEMAPHORE_JOB_RESULT="${chosen}" means ${result}`, async () => {
    const trial = prepare({
      c1: fail(130),
      [RESULT_QUERY]: say(chosen),
    })

    assert.equal(await finish(trial), [
      ...AFTER_SETUP,
      ...['c1 130', 'Checking job result 0', `=> ${result}`],
    ])
  })
}

for (const phase of ['c1', 'c2', 'a1', 'p1']) {
  test(`a stop during ${phase} ends its block with 1, and nothing runs after it`, async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const trial = prepare({
      [phase]: async ({ stopped }) => {
        begin()
        await stopped
        return 0
      },
    })

    const finished = finish(trial)
    await begun
    trial.job.stop()

    assert.equal((await finished).slice(-2), [`${phase} 1`, '=> stopped'])
    assert.is(trial.executor.isDisposed, true)
    assert.equal(trial.log.errors, [])
  })
}

test('a job that is stopped before it begins has no block at all', async () => {
  const trial = prepare({})

  trial.job.stop()

  assert.equal(await finish(trial), ['=> stopped'])
})

test('an executor that can do nothing more fails the job, and no epilogue is tried', async () => {
  const trial = prepare({
    c1: () => Promise.reject(new ShellError('The engine died', { hint: 'Start it.' })),
  })

  assert.equal(await finish(trial), [...AFTER_SETUP, 'c1 1', '=> failed'])
  assert.match(trial.output(), /The engine died \[ERR_\w+\]\nStart it\.\n$/)
})

test('after a command that could not be handed over, the epilogues are tried', async () => {
  const trial = prepare({
    c1: () => Promise.reject(new UndeliveredError('No room', { hint: 'Make some.' })),
  })

  assert.equal(await finish(trial), [
    ...AFTER_SETUP,
    ...['c1 1', RESULT, 'a1 0', 'f1 0', '=> failed'],
  ])
})

test('a pre-job hook that fails fails the job; a post-job hook changes nothing', async (t) => {
  const [preJob, postJob] = [join(t.directory, 'pre'), join(t.directory, 'post')]
  await writeFile(preJob, 'hook')
  await writeFile(postJob, 'post')
  const hooks = { preJob, postJob }
  const trial = prepare({ hook: fail(3), post: fail(4) }, { hooks })

  assert.equal((await finish(trial)).slice(AFTER_SETUP.length), [
    'Running the pre-job hook configured in the agent 3',
    ...[RESULT, 'a1 0', 'f1 0'],
    ...['Running the post-job hook configured in the agent 4', '=> failed'],
  ])
})

test('where the rules of the fleet say so, a job goes on after a failed pre-job hook', async (t) => {
  const preJob = join(t.directory, 'pre')
  const rules = { sourcePreJobHook: false, failOnPreJobHookError: false }
  const script = { [`\\builtin [ -e '${preJob}' ]\n`]: pass, [`bash '${preJob}'`]: fail(3) }
  const trial = prepare(script, { hooks: { preJob, rules } })

  const blocks = await finish(trial)

  assert.equal(blocks.slice(AFTER_SETUP.length, AFTER_SETUP.length + 2), [
    'Running the pre-job hook configured in the agent 3',
    'c1 0',
  ])
  assert.is(blocks.at(-1), '=> passed')
})

test('an EXIT trap that prints has a block, after everything else', async () => {
  const trapped: ScriptedDirective = async ({ trapExit }) => {
    trapExit('bye')
    return 0
  }
  const trial = prepare({ c1: trapped })

  const blocks = await finish(trial)

  assert.equal(blocks.slice(-2), ["Running the EXIT trap of the job's shell 0", '=> passed'])
  assert.match(trial.output(), /bye$/)
})

test('what a failed job made is kept until it is no longer held', async () => {
  const holding = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const hold = async () => {
    holding.resolve()
    await released.promise
  }
  const trial = prepare({ c1: fail(1), ':': pass }, { hold })

  const run = trial.job.run()
  await holding.promise
  assert.is(trial.blocks().at(-1), '=> failed')
  assert.is(trial.executor.isDisposed, false)
  released.resolve()
  await run
  await trial.job.clear()

  assert.is(trial.executor.isDisposed, true)
})

test('a log that can no longer be written fails the job, and the agent says why', async () => {
  let events = 0
  const sink = {
    write: async () => {
      if (++events > 6) throw new Error('the disk is gone')
    },
  }
  const endless: ScriptedDirective = async ({ print, stopped }) => {
    await print('more')
    await stopped
    return 0
  }
  const trial = prepare({ c1: endless }, { sink })

  assert.is(await trial.job.run(), 'failed')
  await trial.job.clear()

  assert.match(trial.log.errors[0] ?? '', /the disk is gone/)
})

test('what cannot be removed leaves the result as it is, and is reported', async () => {
  const trial = prepare({})
  trial.executor.dispose = () => Promise.reject(new Error('busy'))

  assert.is((await finish(trial)).at(-1), '=> passed')
  assert.is(trial.job.cleanupFailed, true)
  assert.match(trial.log.errors[0] ?? '', /busy/)
})

test.run()
