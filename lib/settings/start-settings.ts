/**
 * Every setting of `agent start`, where the agent calls its control plane.
 *
 * @module
 */

import { JOB_SETTINGS } from './job-settings.ts'
import { SERVICE_SETTINGS } from './service-settings.ts'
import type { SettingTable } from './setting.ts'
import { COUNT, DURATION, oneOf, PATH, PORT, SECONDS, SWITCH, TEXT } from './value-type.ts'

/** These jobs have no callbacks, and in a fleet they get no `/dev/kvm`. */
const {
  'callback-retry-attempts': _callbacks,
  'expose-kvm-device': _device,
  ...SHARED
} = JOB_SETTINGS

export const START_SETTINGS = {
  endpoint: {
    type: TEXT,
    description: 'Control plane to register with, as host or host:port',
  },
  token: {
    type: TEXT,
    description:
      "Registration token of the agent's type; use the variable or a file, because options show in ps",
    isSecret: true,
  },
  'token-file': { type: PATH, description: 'File that contains the registration token' },
  'no-https': {
    type: SWITCH,
    default: 'false',
    description: 'Call the control plane over plain HTTP',
  },
  name: {
    type: TEXT,
    description:
      'Name to register with, 8 to 80 characters, or a signed URL that proves it (default: 20 random characters)',
  },
  'name-from-env': {
    type: TEXT,
    description: 'Variable that contains the name, unless --name is given',
  },
  agents: {
    type: COUNT,
    default: '1',
    description: 'Number of agents to register from this process, each running one job at a time',
  },
  'disconnect-after-job': {
    type: SWITCH,
    default: 'false',
    description: 'Run one job and end',
  },
  'job-id': {
    type: TEXT,
    description: 'Ask for this job, with --disconnect-after-job',
  },
  'exit-with-job-result': {
    type: SWITCH,
    default: 'false',
    description: 'End with exit code 1 unless the job passed, with --disconnect-after-job',
  },
  'disconnect-after-idle-timeout': {
    type: SECONDS,
    default: '0',
    description: 'End after this long without a job: 300 or 5m; 0 means never',
  },
  'interruption-grace-period': {
    type: SECONDS,
    default: '0',
    description: 'Longest time a running job may continue after SIGTERM: 90 or 90s',
  },
  'shutdown-hook-path': {
    type: PATH,
    description: 'Script to run with bash when the agent ends',
  },
  'log-flush-timeout': {
    type: DURATION,
    default: '15m',
    description: "Longest time to push the rest of a job's log once the job is over",
  },
  'upload-job-logs': {
    type: oneOf(['never', 'always', 'when-trimmed']),
    default: 'never',
    description: "Upload a job's whole log as an artifact of the job",
  },
  'metrics-port': {
    type: PORT,
    description: 'Port to serve metrics for Prometheus on, over HTTP (default: not served)',
  },
  'metrics-host': {
    type: TEXT,
    default: '127.0.0.1',
    description: 'Address to serve metrics on',
  },
  'control-plane-metrics': {
    type: SWITCH,
    default: 'false',
    description:
      "Serve the control plane's own figures of this agent type as well: jobs queued and running, agents idle and occupied",
  },
  ...SERVICE_SETTINGS,
  ...SHARED,
  'env-vars': {
    ...JOB_SETTINGS['env-vars'],
    description: "Variables for every job; they take precedence over the job's; options show in ps",
  },
  'pre-job-hook-path': {
    type: PATH,
    description: 'Script to run with bash before the commands of every job',
  },
  'source-pre-job-hook': {
    type: SWITCH,
    default: 'false',
    description: "Source the pre-job hook in the job's shell",
  },
  'fail-on-pre-job-hook-error': {
    type: SWITCH,
    default: 'false',
    description: 'Fail the job if its pre-job hook fails',
  },
  'post-job-hook-path': {
    type: PATH,
    description: 'Script to run with bash after the epilogues of every job',
  },
} as const satisfies SettingTable
