/**
 * Every setting of `agent run`.
 *
 * @module
 */

import { JOB_SETTINGS } from './job-settings.ts'
import type { SettingTable } from './setting.ts'
import { DURATION, oneOf, SWITCH } from './value-type.ts'

export const RUN_SETTINGS = {
  format: {
    type: oneOf(['text', 'json']),
    default: 'text',
    description: 'Human-readable log, or event log with one JSON object per line',
  },
  hold: {
    type: DURATION,
    description:
      'Keep a failed job for this long, until an attach session has ended, or until Ctrl-C',
  },
  'print-request': {
    type: SWITCH,
    default: 'false',
    description: 'Print the job in the long form, secrets hidden, as JSON, and run nothing',
  },
  ...JOB_SETTINGS,
  'callback-retry-attempts': { ...JOB_SETTINGS['callback-retry-attempts'], default: '60' },
} as const satisfies SettingTable
