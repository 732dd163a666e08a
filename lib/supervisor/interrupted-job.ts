/**
 * A job whose agent was killed: clears away what is left of it, ends its log, tells the control
 * plane. Each step can be repeated, in case this process is killed as well.
 *
 * @module
 */

import { explain } from '../errors.ts'
import { blockEnd, type JobEvent, type JobResult } from '../events/event.ts'
import { JobLog } from '../events/job-log.ts'
import { removeKeys } from '../host/authorized-keys.ts'
import { removeHostTraces } from '../host/job-traces.ts'
import type { Logger } from '../log.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { Journal, JournalEntry } from '../records/journal.ts'
import type { ExecutorName } from '../request/job-request.ts'
import type { JobConfig } from '../settings/job-config.ts'
import { nowInSeconds } from '../time.ts'
import { CompletionNotifier } from './completion-notifier.ts'
import type { Shutdown } from './shutdown.ts'

export interface InterruptedJobOptions {
  readonly journal: Journal
  readonly entry: JournalEntry
  readonly config: JobConfig
  readonly metrics: JobMetrics
  /** With the job's id on every line. */
  readonly log: Logger
  readonly shutdown: Shutdown
}

type OpenBlock = Extract<JobEvent, { event: 'cmd_started' }>

const REASON = 'The agent was killed while this ran, and was started again: the job has failed.\n'

export class InterruptedJob {
  readonly notifier: CompletionNotifier
  readonly #options: InterruptedJobOptions
  #jobLog: Promise<JobLog> | undefined

  constructor(options: InterruptedJobOptions) {
    const { callbackRetryAttempts: attempts } = options.config
    this.#options = options
    this.notifier = new CompletionNotifier({
      ...options,
      callbacks: options.entry.callbacks,
      attempts,
    })
  }

  get id(): string {
    return this.#options.entry.id
  }

  get executor(): ExecutorName {
    return this.#options.entry.executor
  }

  /** Of the job, for readers: what they had read before is still there. */
  openLog(): Promise<JobLog> {
    this.#jobLog ??= JobLog.reopen(this.#options.entry.logPath)
    return this.#jobLog
  }

  /** Processes, files, lines in other people's files. Containers are found by their labels. */
  async clear(): Promise<void> {
    const { entry, config, log } = this.#options
    log.warn('The agent was killed during this job: removing what is left of it')
    const results = await Promise.allSettled([
      removeHostTraces(entry.traces, entry.leaders),
      entry.keys === undefined ? undefined : removeKeys(config.home, entry.keys),
    ])
    for (const result of results) {
      if (result.status === 'rejected') log.error(explain(result.reason))
    }
  }

  /** Tells the control plane, then the log: `failed`, unless the job was through already. */
  async end(): Promise<void> {
    const { entry, log } = this.#options
    const jobLog = await this.openLog().catch((error: unknown) => {
      log.error(`The job's log is lost: ${explain(error)}`)
      return undefined
    })
    if (jobLog?.finished) return await this.#reportLate()
    const result: JobResult = entry.result ?? 'failed'
    if (jobLog !== undefined) await this.#write(jobLog, () => closeBlock(jobLog))
    await this.notifier.report(result)
    if (jobLog !== undefined) {
      const timestamp = nowInSeconds()
      await this.#write(jobLog, () => jobLog.write({ event: 'job_finished', timestamp, result }))
      await jobLog.close()
    }
    log.info(`The interrupted job is over: ${result}`)
  }

  async #reportLate(): Promise<void> {
    const { result, callbackPending } = this.#options.entry
    if (callbackPending && result !== undefined) await this.notifier.report(result)
  }

  async #write(jobLog: JobLog, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      this.#options.log.error(`The job's log cannot be ended: ${explain(error)}`)
      await jobLog.close()
    }
  }
}

/** A block that was open gets its end, so that the log stays one of whole blocks. */
async function closeBlock(jobLog: JobLog): Promise<void> {
  const open = await findOpenBlock(jobLog)
  if (open === undefined) return
  const timestamp = nowInSeconds()
  await jobLog.write({ event: 'cmd_output', timestamp, output: REASON })
  await jobLog.write(blockEnd(open, 1))
}

async function findOpenBlock(jobLog: JobLog): Promise<OpenBlock | undefined> {
  let open: OpenBlock | undefined
  let rest = ''
  const { signal } = new AbortController()
  for await (const chunk of jobLog.read(0, { follow: false, signal })) {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      // Most lines are output: they are told by their beginning and not parsed.
      if (line.startsWith('{"event":"cmd_started"')) {
        open = JSON.parse(Buffer.from(line, 'latin1').toString()) as OpenBlock
      } else if (line.startsWith('{"event":"cmd_finished"')) open = undefined
    }
  }
  return open
}
