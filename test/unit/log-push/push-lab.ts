import { JobLog } from '../../../lib/events/job-log.ts'
import { createLogger } from '../../../lib/log.ts'
import { createLogPusher } from '../../../lib/log-push/create-log-pusher.ts'
import type { LogPusher, LogPusherOptions } from '../../../lib/log-push/log-pusher.ts'
import { createOutboundClient, type OutboundClient } from '../../../lib/outbound.ts'
import type { HubJob } from '../../helpers/hub/jobs.ts'
import { type Hub, type HubOptions, startHub } from '../../helpers/hub.ts'
import { type LogLab, logLab } from '../job-log/log-lab.ts'

export const LIMIT_MS = 60_000

/** A job of a control plane, its log on this side, and who brings one to the other. */
export interface PushLab {
  readonly hub: Hub
  readonly job: HubJob
  readonly path: string
  readonly log: JobLog
  readonly client: OutboundClient
  /** What the agent's own log says. */
  readonly said: string[]
  /** Tokens that were asked for. */
  readonly refreshes: () => number
  push(options?: Partial<LogPusherOptions>): LogPusher
  /** Everything that is left, with a limit that is never reached. */
  finish(pusher: LogPusher): ReturnType<LogPusher['finish']>
  close(): Promise<void>
}

export async function pushLab(options: HubOptions = {}): Promise<PushLab> {
  const [hub, lab] = [await startHub(options), await logLab()]
  const job = hub.enqueueCommands('true')
  const log = await JobLog.create(lab.path)
  return { ...createParts({ hub, lab, job, log }), path: lab.path }
}

function createParts({ hub, lab, job, log }: { hub: Hub; lab: LogLab; job: HubJob; log: JobLog }) {
  const client = createOutboundClient()
  const end = new AbortController()
  const said: string[] = []
  let refreshes = 0
  const push: PushLab['push'] = (options) =>
    createLogPusher({
      ...{ jobLog: log, url: hub.logUrl(job), token: hub.logs.createToken(job), client },
      refreshToken: async () => {
        refreshes++
        return hub.logs.createToken(job)
      },
      startFrom: 0,
      onPosition: () => undefined,
      log: createLogger({ write: (text) => said.push(text) }),
      signal: end.signal,
      delays: { firstMs: 5, maxMs: 50 },
      ...options,
    })
  return {
    ...{ hub, job, log, client, said, push, refreshes: () => refreshes },
    finish: (pusher: LogPusher) => pusher.finish({ timeoutMs: LIMIT_MS, signal: end.signal }),
    async close() {
      end.abort()
      await client.close()
      await log.close()
      await hub.close()
      await lab.remove()
    },
  }
}
