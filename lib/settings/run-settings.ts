/**
 * Every setting of `agent run`.
 *
 * @module
 */

import { JOB_SETTINGS } from './job-settings.ts'
import type { SettingTable } from './setting.ts'
import { DURATION, oneOf, pairsOf, SWITCH, TEXT } from './value-type.ts'

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
  image: {
    type: TEXT,
    description: 'Run the command after -- in a container of this image, not on this host',
  },
  env: {
    type: pairsOf('=', 'NAME=value,…'),
    default: '',
    description: 'Variables for this job, over those of its file; options show in ps',
    isSecret: true,
  },
  from: {
    type: TEXT,
    description: 'Leave out the commands before this one: its number, from 1, or its name',
  },
  only: {
    type: TEXT,
    description: 'Run this one of the commands: its number, from 1, or its name',
  },
  'keep-going': {
    type: SWITCH,
    default: 'false',
    description: 'Run the other commands after one that has failed; the job fails at the end',
  },
  'print-request': {
    type: SWITCH,
    default: 'false',
    description: 'Print the job in the long form, secrets hidden, as JSON, and run nothing',
  },
  ...JOB_SETTINGS,
  'callback-retry-attempts': { ...JOB_SETTINGS['callback-retry-attempts'], default: '60' },
} as const satisfies SettingTable
