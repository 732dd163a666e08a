/**
 * `agent start`: the agent calls its control plane. Without the settings for that it is an alias of
 * `agent serve`, kept for compatibility.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { hostEnvironment, jobEnvironment } from '../config.ts'
import { ConfigError, NameTakenError } from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { checkDescriptorLimit } from '../host/process-limits.ts'
import { serveMetrics } from '../http/metrics-server.ts'
import { Hub, type HubEnd } from '../hub/hub.ts'
import { baseUrlOf } from '../hub/hub-context.ts'
import type { Logger } from '../log.ts'
import { createHubMetrics, type HubMetrics } from '../metrics/hub-metrics.ts'
import { createJobMetrics, type JobMetrics } from '../metrics/job-metrics.ts'
import { createPullStatsd } from '../metrics/statsd.ts'
import { createTypeFigures } from '../metrics/type-figures.ts'
import { createOutboundClient, type OutboundClient } from '../outbound.ts'
import { openStateDirectory, type StateDirectory } from '../records/directory.ts'
import { findServiceManager, type ServiceManager } from '../service/notify.ts'
import { STOP_MARGIN_MS } from '../service/unit.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import type { SettingTable } from '../settings/setting.ts'
import { callsControlPlane, loadStartConfig, type StartConfig } from '../settings/start-config.ts'
import { START_SETTINGS } from '../settings/start-settings.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { VERSION } from '../version.ts'
import { EXIT_USAGE } from './dispatch.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { openOwnLog } from './own-log.ts'
import { configSources, serveByFlags } from './serve.ts'
import { settingArgs } from './setting-args.ts'

const EXIT_NAME_TAKEN = 1

/** A day: the shutdown hook may take as long as it likes.  */
const HOOK_MS = 86_400_000

export const startCommand = defineCommand({
  meta: {
    name: 'start',
    description: `Register with a control plane and run the jobs it assigns.

Every option is also a variable (--endpoint: SEMAPHORE_AGENT_ENDPOINT) and a key of --config-file
(endpoint: …). Without --endpoint and --token this is another name of serve.

Signals:
  TERM, INT  tell the control plane, which lets a running job go on for the grace period; a second
             signal stops the job

Exit code:
  0    the agent has ended
  1    its name is taken; with --exit-with-job-result: the job failed
  2    nothing was started, or the control plane refused the agent for good
  130  with --exit-with-job-result: the job was stopped

Examples:
  agent start --endpoint ci.example.com --token-file /etc/agent/token
  agent start --config-file /etc/agent/agent.yaml`,
  },
  args: settingArgs({ ...SERVE_SETTINGS, ...START_SETTINGS }),
  run: async ({ args }) => {
    const sources = configSources(args)
    const others = givenOnlyFor(SERVE_SETTINGS, START_SETTINGS, args)
    const own = givenOnlyFor(START_SETTINGS, SERVE_SETTINGS, args)
    if (own.length === 0 && !(await callsControlPlane(sources))) {
      await serveByFlags(args)
      process.exit(0)
    }
    if (others.length > 0) {
      throw new ConfigError(
        `Options of an agent that is called by its control plane: ${others.join(', ')}`,
        {
          hint: 'Leave them out: this agent calls its control plane, and nothing calls the agent.',
        },
      )
    }
    checkDescriptorLimit()
    const config = await loadStartConfig(sources)
    const state = await openStateDirectory(config.stateDirectories)
    try {
      process.exitCode = await start(config, state)
    } finally {
      state.release()
    }
    process.exit()
  },
})

/** Given flags that are in one table and not in the other. */
function givenOnlyFor(
  table: SettingTable,
  other: SettingTable,
  flags: Readonly<Record<string, unknown>>,
): string[] {
  const names = Object.keys(table).filter((name) => !Object.hasOwn(other, name))
  return names.filter((name) => flags[name] !== undefined).map((name) => `--${name}`)
}

/** @returns the exit code */
async function start(config: StartConfig, state: StateDirectory): Promise<number> {
  const { logFor } = openOwnLog(config, state)
  const log = logFor()
  for (const warning of config.warnings) log.warn(warning)
  const client = createOutboundClient()
  const jobMetrics = createJobMetrics({ onPulled: createPullStatsd(config.job, log) })
  const metrics = openMetrics(config, client, log)
  const supervisor = await Supervisor.open({
    ...{ state, metrics: jobMetrics, logFor, config: config.job, capacity: config.agents },
    keptLogs: { count: config.keptLogs, bytes: config.keptLogsSize },
    collectionTimeoutMs: 0,
  })
  const environment = jobEnvironment(hostEnvironment())
  const context = { settings: config, supervisor, client, metrics, environment, logFor }
  const hub = await Hub.open(context, state.path)
  const metricsServer = await listen(config, { jobMetrics, metrics, log })
  const manager = findServiceManager(hostEnvironment(), log)
  passOnSignals(hub, config, { manager, log })
  log.info(`Agent ${VERSION} registers with ${config.endpoint}`)
  log.info(`State directory: ${state.path}`)
  supervisor.begin()
  void manager.ready()
  const end = await hub.run()
  await supervisor.close()
  await Promise.all([metricsServer?.close(), client.close()])
  log.info('The agent has ended')
  return exitCodeOf(end, config)
}

function openMetrics(config: StartConfig, client: OutboundClient, log: Logger): HubMetrics {
  const { controlPlaneMetrics, token } = config
  const question = { baseUrl: baseUrlOf(config), token, client, log }
  return createHubMetrics(controlPlaneMetrics ? { askForFigures: createTypeFigures(question) } : {})
}

interface MetricsSources {
  readonly jobMetrics: JobMetrics
  readonly metrics: HubMetrics
  readonly log: Logger
}

async function listen(
  { metricsHost: host, metricsPort: port }: StartConfig,
  { jobMetrics, metrics, log }: MetricsSources,
) {
  if (port === undefined) return undefined
  const render = async () => (await Promise.all([jobMetrics.render(), metrics.render()])).join('\n')
  const server = await serveMetrics({ host, port, render, log })
  log.info(`Metrics are at http://${host}:${server.port}/metrics`)
  return server
}

function passOnSignals(
  hub: Hub,
  { interruptionGracePeriod, job, logFlushTimeout, shutdownHookPath }: StartConfig,
  { manager, log }: { readonly manager: ServiceManager; readonly log: Logger },
): void {
  const limitMs = interruptionGracePeriod + job.stopGracePeriod + logFlushTimeout + STOP_MARGIN_MS
  let isAsked = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (!isAsked) void manager.stopping(shutdownHookPath === undefined ? limitMs : HOOK_MS)
    log.info(`${signal}${isAsked ? ' again: the job is stopped' : ': the control plane is told'}`)
    isAsked = true
    hub.interrupt()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', () => log.info('SIGHUP: there is nothing to read again'))
}

function exitCodeOf({ errors, results }: HubEnd, { exitWithJobResult }: StartConfig): number {
  const [error] = errors
  if (error !== undefined) return error instanceof NameTakenError ? EXIT_NAME_TAKEN : EXIT_USAGE
  if (!exitWithJobResult) return 0
  const result: JobResult | undefined = results.at(-1)
  return result === undefined ? 0 : EXIT_CODES[result]
}
