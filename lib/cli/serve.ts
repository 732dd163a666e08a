/**
 * `agent serve`: settings → state directory → jobs → server; signals; and the end.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { hostEnvironment } from '../config.ts'
import { explain } from '../errors.ts'
import { checkDescriptorLimit } from '../host/process-limits.ts'
import { createApp } from '../http/app.ts'
import { type Listener, listen } from '../http/listen.ts'
import type { Logger } from '../log.ts'
import { createJobMetrics } from '../metrics/job-metrics.ts'
import { createPullStatsd } from '../metrics/statsd.ts'
import { openStateDirectory, type StateDirectory } from '../records/directory.ts'
import { findServiceManager, type ServiceManager } from '../service/notify.ts'
import { STOP_MARGIN_MS } from '../service/unit.ts'
import { loadServeConfig, type ServeConfig } from '../settings/serve-config.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { fingerprintOf, keepOwnCertificate, readCertificate } from '../tls/certificate.ts'
import { VERSION } from '../version.ts'
import { openOwnLog } from './own-log.ts'
import { settingArgs } from './setting-args.ts'

/** A year: how long a running job may continue by default. */
const ENDLESS_MS = 365 * 86_400_000

export const serveCommand = defineCommand({
  meta: {
    name: 'serve',
    description: `Run the jobs that a control plane sends over HTTPS.

Every option is also a variable (--state-dir: SEMAPHORE_AGENT_STATE_DIR) and a key of --config-file
(state-dir: …). An option takes precedence over a variable, a variable over the file.

Signals:
  TERM, INT  accept no more jobs and exit when the running one has finished; a second signal stops it
  HUP        read the certificate again

Examples:
  agent serve --auth-token-secret-file /etc/agent/secret
  SEMAPHORE_AGENT_AUTH_TOKEN_SECRET=… agent serve --port 8443`,
  },
  args: settingArgs(SERVE_SETTINGS),
  run: async ({ args }) => {
    await serveByFlags(args)
    process.exit(0)
  },
})

/** Resolves when the agent was asked to shut down, and has. @throws {AgentError} */
export async function serveByFlags(flags: Readonly<Record<string, unknown>>): Promise<void> {
  checkDescriptorLimit()
  const config = await loadServeConfig(configSources(flags))
  const state = await openStateDirectory(config.stateDirectories)
  try {
    await serve(config, state)
  } finally {
    state.release()
  }
}

/** The sources of settings for a long-running command. */
export function configSources(flags: Readonly<Record<string, unknown>>): ConfigSources {
  return {
    flags,
    environment: hostEnvironment(),
    workingDirectory: process.cwd(),
    isRoot: process.getuid?.() === 0,
  }
}

async function serve(config: ServeConfig, state: StateDirectory): Promise<void> {
  const { logFor, agentLog } = openOwnLog(config, state)
  const log = logFor()
  for (const warning of config.warnings) log.warn(warning)
  const certificate = config.certificate ?? (await keepOwnCertificate(state.path))
  const metrics = createJobMetrics({ onPulled: createPullStatsd(config.job, log) })
  const jobs = await Supervisor.open({
    ...{ state, metrics, logFor, config: config.job, capacity: 1 },
    keptLogs: { count: config.keptLogs, bytes: config.keptLogsSize },
    collectionTimeoutMs: config.collectionTimeout,
  })
  const app = createApp({
    ...{ slot: jobs, secret: config.secret, version: VERSION, log, agentLog },
    maxBodyBytes: config.bodyLimit,
    metrics: () => metrics.render(),
  })
  const readTls = () => readCertificate(certificate)
  const listener = await listen(app, { host: config.host, port: config.port, tls: readTls, log })
  // Before the agent announces itself: whoever reads that may send a signal at once.
  const manager = findServiceManager(hostEnvironment(), log)
  const ended = untilAskedToEnd(jobs, config, { manager, log })
  process.on('SIGHUP', () => renewCertificate(listener, () => fingerprintOf(readTls().cert), log))
  log.info(`Agent ${VERSION} listens on https://${config.host}:${listener.port}`)
  log.info(`State directory: ${state.path}`)
  log.info(`Certificate ${certificate.certPath}, SHA-256 ${fingerprintOf(readTls().cert)}`)
  jobs.begin()
  void manager.ready()
  await ended
  await listener.close()
  log.info('The agent has ended')
}

function renewCertificate(listener: Listener, fingerprint: () => string, log: Logger): void {
  try {
    listener.reloadTls()
    log.info(`The certificate was reloaded, SHA-256 ${fingerprint()}`)
  } catch (error) {
    log.error(`The previous certificate stays in use: ${explain(error)}`)
  }
}

/** The first signal drains the agent, the second one forces a stop. */
async function untilAskedToEnd(
  jobs: Supervisor,
  { shutdownTimeout, job }: ServeConfig,
  { manager, log }: { readonly manager: ServiceManager; readonly log: Logger },
): Promise<void> {
  const ended = Promise.withResolvers<void>()
  let isAsked = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (isAsked) {
      log.warn(`${signal} again: ending at once`)
      return jobs.forceStop()
    }
    isAsked = true
    void manager.stopping((shutdownTimeout ?? ENDLESS_MS) + job.stopGracePeriod + STOP_MARGIN_MS)
    const wait = jobs.isBusy ? 'no more jobs are taken, the running one goes on' : 'no job runs'
    log.info(`${signal}: ${wait}`)
    jobs.close(shutdownTimeout).then(ended.resolve, ended.reject)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  await ended.promise
}
