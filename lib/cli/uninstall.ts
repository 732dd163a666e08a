/**
 * `agent uninstall`: removes the systemd service.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { uninstallService } from '../service/uninstall.ts'
import { CONFIG_DIRECTORY, STATE_DIRECTORY } from '../service/unit.ts'

export const uninstallCommand = defineCommand({
  meta: {
    name: 'uninstall',
    description: `Remove the service that agent install created, and everything it kept.

That is its unit, ${CONFIG_DIRECTORY} with the secret, ${STATE_DIRECTORY} with the logs of its jobs, and its
user if agent install created it. A running job finishes first. The binary itself stays.

Examples:
  sudo agent uninstall`,
  },
  run: async () => {
    await uninstallService((line) => void process.stdout.write(`${line}\n`))
    process.stdout.write(`The agent itself is still there: rm ${process.execPath}\n`)
  },
})
