/**
 * The settings of an agent that stays, whoever gives it its jobs: what it keeps, and its own log.
 *
 * @module
 */

import { LOG_LEVELS } from '../log.ts'
import type { SettingTable } from './setting.ts'
import { BYTES, COUNT, oneOf, PATH } from './value-type.ts'

export const SERVICE_SETTINGS = {
  'config-file': {
    type: PATH,
    description: 'YAML file with settings, named like the options without --',
  },
  'state-dir': {
    type: PATH,
    description:
      'Directory for everything that must outlive the agent (default: /var/lib/agent for root, else ~/.local/state/agent)',
  },
  'kept-logs': { type: COUNT, default: '100', description: 'Number of job logs to keep' },
  'kept-logs-size': {
    type: BYTES,
    default: '1g',
    description: 'Largest total size of the job logs kept',
  },
  'log-level': {
    type: oneOf(LOG_LEVELS),
    default: 'info',
    description: 'Lowest level to log',
  },
  'log-format': {
    type: oneOf(['text', 'json']),
    default: 'text',
    description: "Format of the agent's own log: for people, or one JSON object per line",
  },
  'log-file-path': {
    type: PATH,
    description:
      "File for the agent's own log, which is also written to standard error (default: agent.log in the state directory)",
  },
  'log-file-size': {
    type: BYTES,
    default: '10m',
    description: 'Size at which the log file is renamed to .1 and a new one is started',
  },
} as const satisfies SettingTable
