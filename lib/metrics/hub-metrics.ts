/**
 * Metrics of `agent start` and its calls to the control plane, as Prometheus text.
 *
 * @module
 */

import type { TypeFigures } from './type-figures.ts'

/** A log on its way to the control plane, which keeps its own counts. */
export interface PushedLog {
  /** Lines that have not arrived yet. */
  readonly lag: number
  /** Lines and bytes that have arrived. */
  readonly pushed: { readonly lines: number; readonly bytes: number }
}

/** The metrics of one agent in this process. */
export interface AgentMetrics {
  /** The control plane has answered a sync. */
  synced(): void
  /** @param status of an answer that is an error; undefined when there was none */
  syncFailed(status: number | undefined): void
  /** @returns a function to call once, when nothing more of it is pushed */
  logBegan(log: PushedLog): () => void
  /** It no longer syncs: drops the age of its last sync. */
  ended(): void
}

export interface HubMetrics {
  /** @param name as registered; the label of its figures */
  forAgent(name: string): AgentMetrics
  /** Prometheus text, version 0.0.4. */
  render(): Promise<string>
}

export interface HubMetricsOptions {
  /** Requests the figures of the control plane; absent when they are not wanted. Never rejects. */
  readonly askForFigures?: (() => Promise<TypeFigures | undefined>) | undefined
}

/** Uses plain counters: the library is loaded at the first scrape, since most agents are never scraped. */
export function createHubMetrics({ askForFigures }: HubMetricsOptions = {}): HubMetrics {
  const counts = new Counts()
  return {
    forAgent: (name) => ({
      synced: () => counts.addSync(name),
      syncFailed: (status) => counts.addFailure(String(status ?? 'none')),
      logBegan: (log) => counts.addLog(log),
      ended: () => void counts.syncedAt.delete(name),
    }),
    render: async () => await render(counts, await askForFigures?.()),
  }
}

class Counts {
  syncs = 0
  readonly failures = new Map<string, number>()
  /** By agent, on the clock of `performance.now()`. */
  readonly syncedAt = new Map<string, number>()
  readonly #logs = new Set<PushedLog>()
  /** Of logs that are complete. */
  readonly #past = { lines: 0, bytes: 0 }

  addSync(agent: string): void {
    this.syncs++
    this.syncedAt.set(agent, performance.now())
  }

  addFailure(status: string): void {
    this.failures.set(status, (this.failures.get(status) ?? 0) + 1)
  }

  addLog(log: PushedLog): () => void {
    this.#logs.add(log)
    return () => {
      if (!this.#logs.delete(log)) return
      this.#past.lines += log.pushed.lines
      this.#past.bytes += log.pushed.bytes
    }
  }

  logs(): { readonly lines: number; readonly bytes: number; readonly lag: number } {
    const sum = { ...this.#past, lag: 0 }
    for (const { lag, pushed } of this.#logs) {
      sum.lines += pushed.lines
      sum.bytes += pushed.bytes
      sum.lag += lag
    }
    return sum
  }
}

async function render(counts: Counts, figures: TypeFigures | undefined): Promise<string> {
  const { Counter, Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  const count = (name: string, help: string, value: number) =>
    new Counter({ name, help, registers }).inc(value)
  const gauge = <Label extends string>(name: string, help: string, label?: Label) =>
    new Gauge({ name, help, labelNames: label === undefined ? [] : [label], registers })

  count('agent_syncs_total', 'Syncs that the control plane has answered', counts.syncs)
  const failures = new Counter({
    name: 'agent_sync_errors_total',
    help: 'Syncs that failed, by the status of the answer',
    labelNames: ['status'],
    registers,
  })
  for (const [status, failed] of counts.failures) failures.inc({ status }, failed)
  const age = gauge('agent_sync_age_seconds', 'Since the last sync that was answered', 'agent')
  for (const [agent, at] of counts.syncedAt) age.set({ agent }, (performance.now() - at) / 1_000)

  const { lines, bytes, lag } = counts.logs()
  count('agent_log_lines_pushed_total', 'Lines of job logs that have arrived', lines)
  count('agent_log_bytes_pushed_total', 'Bytes of job logs that have arrived', bytes)
  gauge('agent_log_lag_lines', 'Lines of running jobs that have not arrived yet').set(lag)

  if (figures !== undefined) {
    const jobs = gauge('control_plane_jobs', 'Jobs of this agent type, by state', 'state')
    const agents = gauge('control_plane_agents', 'Agents of this type, by state', 'state')
    for (const [state, value] of Object.entries(figures.jobs)) jobs.set({ state }, value)
    for (const [state, value] of Object.entries(figures.agents)) agents.set({ state }, value)
  }
  return await registry.metrics()
}
