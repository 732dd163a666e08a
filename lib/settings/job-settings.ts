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
    description: 'From asking to killing when a job is stopped: 500ms, 10s, 2m',
  },
  'job-timeout': {
    type: DURATION,
    description:
      'A job that takes longer fails (default: no limit); a shorter timeout_in_seconds of the job wins',
  },
  'no-output-timeout': {
    type: DURATION,
    description:
      'A job that prints nothing for so long fails (default: no limit); a shorter no_output_timeout_in_seconds of the job wins',
  },
  'callback-retry-attempts': {
    type: COUNT,
    default: '300',
    description: 'How often a callback is tried, a second apart',
  },
  'pull-stall-timeout': {
    type: DURATION,
    default: '5m',
    description: 'An image pull or a login to a registry fails when nothing comes for so long',
  },
  'env-vars': {
    type: pairsOf('=', 'NAME=value,…'),
    default: '',
    description: 'Variables for every job; those of the job win. Options show in ps',
    isSecret: true,
  },
  'env-vars-file': {
    type: PATH,
    description:
      'The same from a file that only its owner may read, one NAME=value per line; those of --env-vars win',
  },
  files: {
    type: pairsOf(':', 'host:dest,…'),
    default: '',
    description: 'Files of this host to mount in the main container of every job',
  },
  'fail-on-missing-files': {
    type: SWITCH,
    default: 'false',
    description: 'A file of --files that is not there fails the job',
  },
  'expose-kvm-device': {
    type: SWITCH,
    default: 'true',
    description: 'Pass /dev/kvm on to containers where this host has it',
  },
  'service-start-timeout': {
    type: DURATION,
    default: '60s',
    description: 'How long a service of a job has to get ready',
  },
  'pre-job-hook-path': {
    type: PATH,
    description: "Sourced in each job's shell before its commands",
  },
  'post-job-hook-path': {
    type: PATH,
    description: "Sourced in each job's shell after its epilogues",
  },
  'cache-dir': {
    type: PATH,
    description:
      'Where the cache command keeps its archives (default: cache/ in the state directory, which is /var/lib/agent for root, else ~/.local/state/agent)',
  },
  'cache-limit': {
    type: BYTES,
    default: '9g',
    description: 'What was not used for the longest time makes room when the cache is larger',
  },
  'statsd-host': { type: TEXT, description: 'Where to send StatsD metrics of image pulls' },
  'statsd-port': { type: PORT, description: 'The port there' },
  'statsd-namespace': {
    type: TEXT,
    default: 'agent.prod',
    description: 'The prefix of every StatsD metric',
  },
} as const satisfies SettingTable
