/**
 * Sends metrics of image pulls to a StatsD server (see lib/metrics/README.md). Nothing waits for that:
 * a server that is down or cannot be resolved never delays a job.
 *
 * @module
 */

import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { StatsD } from 'node-statsd'
import type { Logger } from '../log.ts'

export interface PullFigures {
  /** As the job names it. */
  readonly image: string
  readonly durationMs: number
  readonly passed: boolean
}

export type ReportPull = (figures: PullFigures) => void

export interface StatsdSettings {
  readonly statsdHost?: string | undefined
  readonly statsdPort?: number | undefined
  /** The prefix of every metric. */
  readonly statsdNamespace: string
}

/** The address of a host name may change. */
const ADDRESS_AGE_MS = 60_000

/** @returns undefined without a host and a port to send to */
export function createPullStatsd(
  { statsdHost: host, statsdPort: port, statsdNamespace }: StatsdSettings,
  log: Logger,
): ReportPull | undefined {
  if (host !== undefined && port !== undefined) {
    return new PullStatsd({ host, port, namespace: statsdNamespace, log }).report
  }
  if (host !== undefined || port !== undefined) {
    log.warn('No StatsD metrics are sent: both --statsd-host and --statsd-port are required')
  }
  return undefined
}

interface Target {
  readonly host: string
  readonly port: number
  readonly namespace: string
  readonly log: Logger
}

class PullStatsd {
  readonly #target: Target
  #client: Promise<StatsD | undefined>
  #lookedUpAt = performance.now()
  #warned = false

  constructor(target: Target) {
    this.#target = target
    this.#client = this.#open() // so that the name is resolved before the first pull
  }

  readonly report: ReportPull = ({ image, durationMs, passed }) => {
    if (performance.now() - this.#lookedUpAt > ADDRESS_AGE_MS) {
      this.#lookedUpAt = performance.now()
      const before = this.#client
      this.#client = before.then((client) => {
        client?.close()
        return this.#open()
      })
    }
    void this.#client.then((client) => {
      const tags = [`image:${image}`]
      const rate = passed ? 'success.rate' : 'failure.rate'
      client?.timing('compose_ci.docker_pull.duration', Math.round(durationMs), tags)
      client?.increment(`compose_ci.docker_pull.${rate}`, 1, tags)
    })
  }

  async #open(): Promise<StatsD | undefined> {
    const { host, port, namespace, log } = this.#target
    try {
      const { resolveAddress } = await import('./address.ts')
      const address = await resolveAddress(host)
      const { default: statsd } = await import('node-statsd')
      const client = new statsd.StatsD({ host: address, port, prefix: `${namespace}.` })
      if (isIPv6(address)) {
        client.socket.close() // of IPv4, as the library makes it
        client.socket = createSocket('udp6')
      }
      // A refused packet is reported as an error; it is treated like a lost one.
      client.socket.on('error', () => undefined)
      client.socket.unref()
      return client
    } catch (error) {
      if (!this.#warned) log.warn(`StatsD metrics are not sent to ${host}: ${String(error)}`)
      this.#warned = true
      return undefined
    }
  }
}
