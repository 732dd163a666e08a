/**
 * `agent run FILE`: one job, its log on standard output, its result as the exit code.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { loadRunConfig, type RunConfig } from '../config.ts'
import type { EventSink, JobResult } from '../events/event.ts'
import { formatEvent } from '../events/event.ts'
import { createExecutor } from '../executors/choose.ts'
import { createCallbackSender } from '../job/callbacks.ts'
import { Job } from '../job/job.ts'
import { createLogger, type Logger } from '../log.ts'
import { loadJobFile } from '../request/job-file.ts'
import type { JobRequest } from '../request/job-request.ts'
import { parseJobRequest } from '../request/parse-job-request.ts'
import { JobView } from './job-view.ts'
import { StandardOutput } from './standard-output.ts'

const EXIT_CODES: Readonly<Record<JobResult, number>> = { passed: 0, failed: 1, stopped: 130 }

export const runCommand = defineCommand({
  meta: {
    name: 'run',
    description:
      'Run the job described in a file and show its log. Exit code: 0 passed, 1 failed, 130 stopped, 2 not started. Example: agent run job.yaml',
  },
  args: {
    file: {
      type: 'positional',
      description: 'The job, as YAML or JSON; - reads standard input',
      valueHint: 'FILE',
    },
    format: {
      type: 'enum',
      options: ['text', 'json'],
      default: 'text',
      description: 'A log to read, or the event log, one JSON object a line',
    },
    color: {
      type: 'boolean',
      default: true,
      description: 'Colours, on a terminal',
      negativeDescription: 'No colours, not even on a terminal',
    },
    'stop-grace-period': {
      type: 'string',
      default: '10s',
      description: 'Between asking and killing when the job is stopped, e.g. 500ms, 10s, 2m',
    },
    'callback-retry-attempts': {
      type: 'string',
      default: '60',
      description: 'How often a callback is tried, a second apart',
    },
  },
  run: async ({ args }) => {
    const config = loadRunConfig(args)
    const log = createLogger({ write: (text) => void process.stderr.write(text) })
    const request = parseJobRequest(await loadJobFile(args.file), {
      defaultId: `run-${process.pid}`,
    })
    if (request.unknownKeys.length > 0) {
      log.warn(`Unknown keys in ${args.file} are ignored: ${request.unknownKeys.join(', ')}`)
    }
    process.exit(EXIT_CODES[await runJob(request, config, log)])
  },
})

async function runJob(request: JobRequest, config: RunConfig, log: Logger): Promise<JobResult> {
  const hurry = new AbortController()
  const executor = await createExecutor(request, {
    policy: { gracePeriodMs: config.stopGracePeriodMs, hurry: hurry.signal },
    environment: config.jobEnvironment,
    temporaryDirectory: config.temporaryDirectory,
    dockerSocketPath: config.dockerSocketPath,
    log,
  })
  const callbacks = createCallbackSender(request.callbacks, {
    attempts: config.callbackAttempts,
    log,
    signal: hurry.signal,
  })
  const job = new Job({ request, executor, sink: createSink(config), callbacks, log })
  const stop = stopper(job, hurry)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  return await job.run()
}

/** The first signal asks, the second insists. */
function stopper(job: Job, hurry: AbortController): () => void {
  let asked = false
  return () => {
    if (asked) return hurry.abort()
    asked = true
    process.stderr.write('agent: stopping the job; press Ctrl-C again to kill it at once\n')
    job.stop()
  }
}

function createSink(config: RunConfig): EventSink {
  const output = new StandardOutput()
  if (config.format === 'json') return { write: (event) => output.write(formatEvent(event)) }
  return new JobView({
    write: (text) => output.write(text),
    colours: config.colours,
    columns: config.columns,
  })
}
