/**
 * Metrics of the agent and its jobs, as Prometheus text.
 *
 * @module
 */

import type { JobResult } from '../events/event.ts'
import type { ReportPull } from './statsd.ts'

export interface FinishedJobFigures {
  readonly result: JobResult
  readonly durationMs: number
}

export interface JobMetrics {
  jobFinished(figures: FinishedJobFigures): void
  logEnded(bytes: number): void
  readonly imagePulled: ReportPull
  callbackFailed(): void
  /** Prometheus text, version 0.0.4. */
  render(): Promise<string>
}

export interface JobMetricsOptions {
  /** Also called for every pull. */
  readonly onPulled?: ReportPull | undefined
}

type Recorder = Awaited<ReturnType<typeof load>>

/** Seconds: from a job that does nothing to one that takes hours. */
const JOB_BUCKETS = [0.1, 1, 10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400]
const PULL_BUCKETS = [0.5, 1, 5, 15, 30, 60, 120, 300, 600]

/** Loads the library only when there is something to count, so that the agent starts quickly. */
export function createJobMetrics({ onPulled }: JobMetricsOptions = {}): JobMetrics {
  let recorder: Promise<Recorder> | undefined
  const record = (use: (recorder: Recorder) => void) => {
    recorder ??= load()
    void recorder.then(use)
  }
  return {
    jobFinished: ({ result, durationMs }) =>
      record(({ jobs, jobSeconds }) => {
        jobs.inc({ result })
        jobSeconds.observe({ result }, durationMs / 1_000)
      }),
    logEnded: (bytes) => record(({ logs }) => logs.inc(bytes)),
    imagePulled: (figures) => {
      onPulled?.(figures)
      const { passed, durationMs } = figures
      record(({ pullSeconds }) =>
        pullSeconds.observe({ result: passed ? 'passed' : 'failed' }, durationMs / 1_000),
      )
    },
    callbackFailed: () => record(({ callbackFailures }) => callbackFailures.inc()),
    async render() {
      recorder ??= load()
      return await (await recorder).registry.metrics()
    },
  }
}

async function load() {
  const { collectDefaultMetrics, Counter, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    jobs: new Counter({
      name: 'agent_jobs_total',
      help: 'Jobs that are over, by result',
      labelNames: ['result'],
      registers,
    }),
    jobSeconds: new Histogram({
      name: 'agent_job_duration_seconds',
      help: 'From job_started to job_finished, by result',
      labelNames: ['result'],
      buckets: JOB_BUCKETS,
      registers,
    }),
    logs: new Counter({
      name: 'agent_job_log_bytes_total',
      help: 'Bytes in the logs of the jobs that are over',
      registers,
    }),
    pullSeconds: new Histogram({
      name: 'agent_image_pull_duration_seconds',
      help: 'Time to pull one image, by result',
      labelNames: ['result'],
      buckets: PULL_BUCKETS,
      registers,
    }),
    callbackFailures: new Counter({
      name: 'agent_callback_failures_total',
      help: 'Callbacks that never succeeded',
      registers,
    }),
  }
}
