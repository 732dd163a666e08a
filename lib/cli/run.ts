/**
 * `agent run FILE`: one job, its log on standard output, its result as the exit code.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { defineCommand } from 'citty'
import { holdForAttachSessions } from '../access/hold.ts'
import type { Waits } from '../async/waits.ts'
import { hostEnvironment } from '../config.ts'
import { AgentError, explain } from '../errors.ts'
import { formatEvent } from '../events/event.ts'
import { JUMP_POINT_PATH } from '../host/jump-point.ts'
import { countOomKills } from '../host/memory-shortage.ts'
import { checkDescriptorLimit } from '../host/process-limits.ts'
import type { JobOptions } from '../job/job.ts'
import { JobRun } from '../job/job-run.ts'
import { createLogger, type Logger } from '../log.ts'
import { createPullStatsd } from '../metrics/statsd.ts'
import { createRunRecord } from '../records/job-records.ts'
import type { JobRequest } from '../request/job-request.ts'
import { loadRunConfig, type RunConfig } from '../settings/run-config.ts'
import { RUN_SETTINGS } from '../settings/run-settings.ts'
import { quoteWord } from '../shell/quote.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { JobView } from './job-view.ts'
import { loadLocalJob } from './local-job.ts'
import { printRequest } from './print-request.ts'
import { settingArgs } from './setting-args.ts'
import { StandardOutput } from './standard-output.ts'

export const runCommand = defineCommand({
  meta: {
    name: 'run',
    description: `Run the job described in a file, or a command, and show its log.

Exit code:
  0    the job passed
  1    the job failed
  130  the job was stopped: by itself, by Ctrl-C or by TERM
  2    nothing was started: the command line or the file is invalid

Examples:
  agent run job.yaml
  agent run --from Test --keep-going job.yaml
  agent run --format json - < job.json > log.jsonl
  agent run --image node:24 --env CI=true -- npm test`,
  },
  args: {
    file: {
      type: 'positional',
      description: 'Job file, YAML or JSON; - reads standard input',
      required: false,
    },
    command: {
      type: 'positional',
      description: 'Command to run in the current directory, instead of a file',
      required: false,
    },
    color: {
      type: 'boolean',
      default: true,
      description: 'Use colours on a terminal',
      negativeDescription: 'Use no colours, even on a terminal',
    },
    ...settingArgs(RUN_SETTINGS),
  },
  run: async ({ args, data }) => {
    checkDescriptorLimit()
    const config = loadRunConfig(args, {
      env: hostEnvironment(),
      stdout: process.stdout,
      isRoot: process.getuid?.() === 0,
    })
    const log = createLogger({ write: (text) => void process.stderr.write(text) })
    const planned = await loadLocalJob(
      { file: args.file, command: data as readonly string[], stdin: process.stdin },
      config.choice,
      { defaultId: `run-${process.pid}`, environment: hostEnvironment() },
    )
    const { unknownKeys } = planned.request
    if (unknownKeys.length > 0) {
      log.warn(`Unknown keys in ${args.file} are ignored: ${unknownKeys.join(', ')}`)
    }
    if (config.printRequest) return await printRequest(planned, config.job, log)
    const hostFiles = [...config.job.hostFiles, ...planned.hostFiles]
    const ofJob = { ...config, job: { ...config.job, hostFiles } }
    process.exit(await runToTheEnd(planned.request, ofJob, log))
  },
})

/** @returns the exit code; never 2, as something was started. @throws {AgentError} when nothing was */
async function runToTheEnd(
  request: JobRequest,
  config: RunConfig,
  ownLog: Logger,
): Promise<number> {
  const forceStop = new AbortController()
  const { signal } = forceStop
  const output = new StandardOutput({ stream: process.stdout, forceStop: signal })
  const recorded = await createRunRecord()
  const jobRun = new JobRun({
    ...{ request, recorded, log: ownLog, forceStop: signal, callbackDeadline: signal },
    config: config.job,
    instanceId: randomBytes(8).toString('hex'),
    jumpPoint: 'with-keys',
    onPulled: createPullStatsd(config.job, ownLog),
  })
  const { access, notifier, log } = jobRun
  const stop = stopper(jobRun, forceStop, config.job.stopGracePeriod)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop)
  try {
    const job = jobRun.create(await jobRun.prepare(), {
      ...createView(config, output, jobRun.waits),
      onResult: (result) => notifier.report(result),
      keepsGoing: config.keepGoing,
      hold: createHold(jobRun, { request, log, output, holdMs: config.hold }),
    })
    const result = await job.run()
    await Promise.all([job.clear(), access.close()])
    await notifier.reportTeardown()
    await output.flush()
    return EXIT_CODES[result]
  } catch (error) {
    if (!(error instanceof AgentError) || jobRun.job === undefined) throw error
    log.error(explain(error))
    return EXIT_CODES.failed
  } finally {
    await access.close()
    await recorded.remove().catch((error: unknown) => log.warn(explain(error)))
  }
}

interface HoldOptions {
  readonly request: JobRequest
  readonly log: Logger
  readonly output: StandardOutput
  /** Undefined: a failed job is not held. */
  readonly holdMs: number | undefined
}

function createHold(
  { access }: JobRun,
  { request, log, output, holdMs }: HoldOptions,
): JobOptions['hold'] {
  if (holdMs === undefined) return undefined
  return async (signal) => {
    await output.flush() // so that this is printed after the log
    log.info(describeHold(request, holdMs))
    await holdForAttachSessions(access, holdMs, signal)
  }
}

function describeHold({ id, sshPublicKeys }: JobRequest, holdMs: number): string {
  const word = /^[\w.-]+$/.test(id) ? id : quoteWord(id)
  const lines = [
    `The job has failed. It is kept for ${Math.ceil(holdMs / 1_000)} s, until an attached session ends, or until Ctrl-C here.`,
    `Get in from another terminal: agent attach ${word}`,
    ...(sshPublicKeys.length === 0 ? [] : [`Or by SSH: ssh -t HOST bash ${JUMP_POINT_PATH}`]),
  ]
  return lines.join('\n')
}

/** The first signal stops, the second one forces the stop. */
function stopper(jobRun: JobRun, forceStop: AbortController, gracePeriodMs: number): () => void {
  let asked = false
  return () => {
    if (asked) return forceStop.abort()
    asked = true
    const what = jobRun.job?.state.phase === 'done' ? 'clearing up after' : 'stopping'
    const deadline = performance.now() + gracePeriodMs
    jobRun.waits.begin(() => describeGrace(deadline - performance.now()))
    process.stderr.write(`agent: ${what} the job; press Ctrl-C again to kill it at once\n`)
    jobRun.stop()
  }
}

/** How long a stop still waits. */
function describeGrace(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1_000)
  return seconds > 0 ? `Stopping: killing remaining processes in ${seconds} s` : 'Stopping'
}

function createView(
  config: RunConfig,
  output: StandardOutput,
  waits: Waits,
): Pick<JobOptions, 'onDeadServices' | 'sink'> {
  if (config.format === 'json') {
    return { sink: { write: (event) => output.write(formatEvent(event)) } }
  }
  const view = new JobView({
    write: (text) => output.write(text),
    colours: config.colours,
    columns: config.columns,
    isTerminal: config.isTerminal,
    countOomKills,
    describeWaits: () => waits.describe(),
    isHeld: config.hold !== undefined,
  })
  return { sink: view, onDeadServices: (lines) => view.noteDeadServices(lines) }
}
