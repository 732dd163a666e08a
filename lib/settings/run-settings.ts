/**
 * Every setting of `agent run`.
 *
 * @module
 */

import { JOB_SETTINGS } from './job-settings.ts'
import type { SettingTable } from './setting.ts'
import { oneOf } from './value-type.ts'

export const RUN_SETTINGS = {
  format: {
    type: oneOf(['text', 'json']),
    default: 'text',
    description: 'A log to read, or the event log, one JSON object a line',
  },
  ...JOB_SETTINGS,
  'callback-retry-attempts': { ...JOB_SETTINGS['callback-retry-attempts'], default: '60' },
} as const satisfies SettingTable
