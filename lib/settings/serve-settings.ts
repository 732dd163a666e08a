/**
 * Every setting of `agent serve`.
 *
 * @module
 */

import { LOG_LEVELS } from '../log.ts'
import { JOB_SETTINGS } from './job-settings.ts'
import type { SettingTable } from './setting.ts'
import { BYTES, COUNT, DURATION, oneOf, PATH, PORT, TEXT } from './value-type.ts'

export const SERVE_SETTINGS = {
  'auth-token-secret': {
    type: TEXT,
    description:
      "Secret that signs the clients' tokens; use the variable or a file, because options show in ps",
    isSecret: true,
  },
  'auth-token-secret-file': { type: PATH, description: 'File that contains the secret' },
  'config-file': {
    type: PATH,
    description: 'YAML file with settings, named like the options without --',
  },
  host: { type: TEXT, default: '0.0.0.0', description: 'Address to listen on' },
  port: { type: PORT, default: '8000', description: 'Port to listen on' },
  'tls-cert-path': {
    type: PATH,
    description:
      'TLS certificate, PEM (default: server.crt in the current directory; otherwise the agent creates one)',
  },
  'tls-key-path': {
    type: PATH,
    description:
      'Private key of the certificate, PEM (default: server.key in the current directory)',
  },
  'body-limit': { type: BYTES, default: '16m', description: 'Largest job request to accept' },
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
  'shutdown-timeout': {
    type: DURATION,
    description: 'Longest time a running job may continue after SIGTERM (default: until it ends)',
  },
  'collection-timeout': {
    type: DURATION,
    default: '24h',
    description:
      "Longest time to wait for a job's log to be collected before teardown_finished is sent",
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
  ...JOB_SETTINGS,
} as const satisfies SettingTable
