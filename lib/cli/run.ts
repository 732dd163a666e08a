/**
 * `agent run FILE`: one job, its log on standard output, its result as the exit code.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { defineCommand } from 'citty'
import { holdForVisitors } from '../access/hold.ts'
import { JobAccess } from '../access/job-access.ts'
import type { Remains } from '../access/running-jobs.ts'
import { hostEnvironment } from '../config.ts'
import { AgentError, explain } from '../errors.ts'
import { type EventSink, formatEvent, type JobResult } from '../events/event.ts'
import { kindOf } from '../executors/registry.ts'
import { JUMP_POINT_PATH } from '../host/jump-point.ts'
import { type CallbackSender, createCallbackSender } from '../job/callbacks.ts'
import { Job } from '../job/job.ts'
import { timeLimitsOf } from '../job/time-limits.ts'
import { createLogger, type Logger } from '../log.ts'
import { createPullStatsd } from '../metrics/statsd.ts'
import { loadJobFile } from '../request/job-file.ts'
import type { JobRequest } from '../request/job-request.ts'
import { loadRunConfig, type RunConfig } from '../settings/run-config.ts'
import { RUN_SETTINGS } from '../settings/run-settings.ts'
import { quoteWord } from '../shell/quote.ts'
import { JobView } from './job-view.ts'
import { settingArgs } from './setting-args.ts'
import { StandardOutput } from './standard-output.ts'

const EXIT_CODES: Readonly<Record<JobResult, number>> = { passed: 0, failed: 1, stopped: 130 }

export const runCommand = defineCommand({
  meta: {
    name: 'run',
    description: `Run the job described in a file and show its log.

Exit code:
  0    the job passed
  1    the job failed
  130  the job was stopped: by itself, by Ctrl-C or by TERM
  2    nothing was started: the command line or the file is invalid

Examples:
  agent run job.yaml
  agent run --format json - < job.json > log.jsonl`,
  },
  args: {
    file: {
      type: 'positional',
      description: 'Job file, YAML or JSON; - reads standard input',
      required: true,
    },
    color: {
      type: 'boolean',
      default: true,
      description: 'Use colours on a terminal',
      negativeDescription: 'Use no colours, even on a terminal',
    },
    ...settingArgs(RUN_SETTINGS),
  },
  run: async ({ args }) => {
    const config = loadRunConfig(args, {
      env: hostEnvironment(),
      stdout: process.stdout,
      isRoot: process.getuid?.() === 0,
    })
    const log = createLogger({ write: (text) => void process.stderr.write(text) })
    const request = await loadJobFile(args.file, process.stdin, {
      defaultId: `run-${process.pid}`,
    })
    if (request.unknownKeys.length > 0) {
      log.warn(`Unknown keys in ${args.file} are ignored: ${request.unknownKeys.join(', ')}`)
    }
    process.exit(await runToTheEnd(request, config, log))
  },
})

/** @returns the exit code. From here on 2 is none of them: something has been started */
async function runToTheEnd(request: JobRequest, config: RunConfig, log: Logger): Promise<number> {
  const forceStop = new AbortController()
  const output = new StandardOutput({ stream: process.stdout, forceStop: forceStop.signal })
  const { dockerSocketPath, home } = config.job
  const remains = {
    traces: kindOf(request.executor).planTraces(config.job),
    leaders: [],
    instanceId: randomBytes(8).toString('hex'),
  }
  const place = { home, dockerSocketPath, jumpPoint: 'with-keys', remains } as const
  const access = new JobAccess({ request, ...place, log })
  try {
    const callbacks = createCallbackSender(request.callbacks, {
      attempts: config.job.callbackRetryAttempts,
      log,
      signal: forceStop.signal,
    })
    const surroundings = { forceStop: forceStop.signal, output, remains, access, callbacks, log }
    const job = await createJob(request, config, surroundings)
    const stop = stopper(job, forceStop)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    await access.open()
    const result = await job.run()
    await job.clear()
    await callbacks.teardownFinished()
    await output.flush()
    return EXIT_CODES[result]
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    log.error(explain(error))
    return EXIT_CODES.failed
  } finally {
    await access.close()
  }
}

interface Surroundings {
  readonly forceStop: AbortSignal
  readonly output: StandardOutput
  readonly remains: Remains
  readonly access: JobAccess
  readonly callbacks: CallbackSender
  readonly log: Logger
}

async function createJob(
  request: JobRequest,
  config: RunConfig,
  { forceStop, output, remains, access, callbacks, log }: Surroundings,
): Promise<Job> {
  const { hold } = config
  const { hostVariables, preJobHookPath, postJobHookPath } = config.job
  const executor = await kindOf(request.executor).create(request, {
    config: config.job,
    forceStop,
    traces: remains.traces,
    instanceId: remains.instanceId,
    onLeader: (leader) => access.addLeader(leader),
    onContainer: (container) => access.addContainer(container),
    onPulled: createPullStatsd(config.job, log),
  })
  return new Job({
    request,
    executor,
    sink: createSink(config, output),
    onResult: (result) => callbacks.finished(result),
    log,
    hooks: { preJob: preJobHookPath, postJob: postJobHookPath },
    hostVariables,
    limits: timeLimitsOf(request, config.job),
    hold:
      hold === undefined
        ? undefined
        : async (signal) => {
            await output.flush() // what is said here comes after the log
            log.info(describeHold(request, hold))
            await holdForVisitors(access, hold, signal)
          },
  })
}

function describeHold({ id, sshPublicKeys }: JobRequest, holdMs: number): string {
  const word = /^[\w.-]+$/.test(id) ? id : quoteWord(id)
  const lines = [
    `The job has failed. What it made stays for ${Math.ceil(holdMs / 1_000)} s, until you have been in it, or until Ctrl-C here.`,
    `Get in from another terminal: agent attach ${word}`,
    ...(sshPublicKeys.length === 0 ? [] : [`Or by SSH: ssh -t HOST bash ${JUMP_POINT_PATH}`]),
  ]
  return lines.join('\n')
}

/** The first signal stops, the second one forces the stop. */
function stopper(job: Job, forceStop: AbortController): () => void {
  let asked = false
  return () => {
    if (asked) return forceStop.abort()
    asked = true
    const what = job.state.phase === 'done' ? 'clearing up after' : 'stopping'
    process.stderr.write(`agent: ${what} the job; once more (Ctrl-C) kills it at once\n`)
    job.stop()
  }
}

function createSink(config: RunConfig, output: StandardOutput): EventSink {
  if (config.format === 'json') return { write: (event) => output.write(formatEvent(event)) }
  return new JobView({
    write: (text) => output.write(text),
    colours: config.colours,
    columns: config.columns,
  })
}
