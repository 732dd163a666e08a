/**
 * The settings of every job, whichever command runs it.
 *
 * @module
 */

import type { SettingTable } from './setting.ts'
import { BYTES, COUNT, DURATION, PATH, PORT, pairsOf, SWITCH, TEXT } from './value-type.ts'

export const JOB_SETTINGS = {
  'stop-grace-period': {
    type: DURATION,
    default: '10s',
    description: 'Time between TERM and KILL when a job is stopped: 500ms, 10s, 2m',
  },
  'job-timeout': {
    type: DURATION,
    description:
      'Longest time a job may take; a shorter timeout_in_seconds of the job wins (default: no limit)',
  },
  'no-output-timeout': {
    type: DURATION,
    description:
      'Longest time a job may print nothing; a shorter no_output_timeout_in_seconds of the job wins (default: no limit)',
  },
  'callback-retry-attempts': {
    type: COUNT,
    default: '300',
    description: 'Attempts per callback, one second apart',
  },
  'pull-stall-timeout': {
    type: DURATION,
    default: '5m',
    description: 'Longest time without progress in an image pull or a registry login',
  },
  'env-vars': {
    type: pairsOf('=', 'NAME=value,…'),
    default: '',
    description: 'Variables for every job; the job can override them; options show in ps',
    isSecret: true,
  },
  'env-vars-file': {
    type: PATH,
    description:
      'File with more of them, readable by its owner only, one NAME=value per line; --env-vars takes precedence',
  },
  files: {
    type: pairsOf(':', 'host:dest,…'),
    default: '',
    description: 'Host files to mount in the main container of every job',
  },
  'fail-on-missing-files': {
    type: SWITCH,
    default: 'false',
    description: 'Fail the job if a file of --files does not exist',
  },
  'expose-kvm-device': {
    type: SWITCH,
    default: 'true',
    description: 'Give containers /dev/kvm if this host has it',
  },
  'service-start-timeout': {
    type: DURATION,
    default: '60s',
    description: 'Time for a service of a job to become ready',
  },
  'mask-by-name': {
    type: SWITCH,
    default: 'true',
    description:
      'Mask variables in logs whose names end in _TOKEN, _PASSWORD, _SECRET or _KEY, if they have 8 characters or more',
  },
  'pre-job-hook-path': {
    type: PATH,
    description: "Script to source in every job's shell before its commands",
  },
  'post-job-hook-path': {
    type: PATH,
    description: "Script to source in every job's shell after its epilogues",
  },
  'cache-dir': {
    type: PATH,
    description:
      'Directory for the archives of the cache command (default: cache/ in the state directory, which is /var/lib/agent for root, else ~/.local/state/agent)',
  },
  'cache-limit': {
    type: BYTES,
    default: '9g',
    description: 'Largest size of the cache; the least recently used archives are removed above it',
  },
  'statsd-host': { type: TEXT, description: 'Host to send StatsD metrics of image pulls to' },
  'statsd-port': { type: PORT, description: 'Port of the StatsD host' },
  'statsd-namespace': {
    type: TEXT,
    default: 'agent.prod',
    description: 'Prefix of every StatsD metric',
  },
} as const satisfies SettingTable
