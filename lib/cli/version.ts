/**
 * `agent version`.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { VERSION } from '../version.ts'
import { print } from './print.ts'

export const versionCommand = defineCommand({
  meta: {
    name: 'version',
    description: `Print the version of the agent.

Examples:
  agent version
  agent --version`,
  },
  run: () => print(`${VERSION}\n`),
})
