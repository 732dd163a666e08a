/**
 * What the agent tells the service manager that has started it: that it is ready, that it is still
 * alive, that it is ending.
 *
 * The socket for that is a Unix datagram socket, which Node cannot open: `systemd-notify`, which
 * is part of systemd itself, sends the datagrams.
 *
 * @see sd_notify(3), systemd-notify(1)
 * @module
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Logger } from '../log.ts'

export interface ServiceManager {
  /** Clients are answered from now on. */
  ready(): Promise<void>
  /**
   * The service was asked to stop, and will.
   *
   * @param withinMs after which the manager may kill it; not before, whatever the unit says
   */
  stopping(withinMs: number): Promise<void>
}

const NO_MANAGER: ServiceManager = { ready: async () => undefined, stopping: async () => undefined }

const LIMIT_MS = 10_000

/** A sign of life is due once in the manager's interval: two may get lost. */
const SIGNS_PER_INTERVAL = 3

/** @param environment of this process, as the manager has set it. Absent variables = no manager. */
export function findServiceManager(environment: NodeJS.ProcessEnv, log: Logger): ServiceManager {
  const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC = '', WATCHDOG_PID = '', PATH } = environment
  if (socket === '') return NO_MANAGER
  const send = async (...words: string[]) => {
    try {
      const env = { NOTIFY_SOCKET: socket, PATH }
      await promisify(execFile)('systemd-notify', words, { env, timeout: LIMIT_MS })
    } catch (error) {
      log.warn(`systemd cannot be notified of ${words.join(' ')}: ${(error as Error).message}`)
    }
  }
  const isWatched = WATCHDOG_PID === '' || WATCHDOG_PID === String(process.pid)
  return {
    async ready() {
      await send('--ready')
      if (isWatched) giveSigns(Number(WATCHDOG_USEC) / 1_000, () => send('WATCHDOG=1'))
    },
    stopping: (withinMs) =>
      send('STOPPING=1', `EXTEND_TIMEOUT_USEC=${Math.round(withinMs) * 1_000}`),
  }
}

/** From the main loop on purpose: when that hangs, the signs cease and the manager acts. */
function giveSigns(intervalMs: number, send: () => Promise<void>): void {
  if (!(intervalMs > 0)) return
  setInterval(() => void send(), intervalMs / SIGNS_PER_INTERVAL).unref()
}
