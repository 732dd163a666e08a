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
      "Signs the clients' tokens; better given by variable or file, since flags show in ps",
    isSecret: true,
  },
  'auth-token-secret-file': { type: PATH, description: 'A file with that secret in it' },
  'config-file': { type: PATH, description: 'A YAML file with settings: the flags without --' },
  host: { type: TEXT, default: '0.0.0.0', description: 'The address to listen on' },
  port: { type: PORT, default: '8000', description: 'The port to listen on' },
  'tls-cert-path': {
    type: PATH,
    description:
      'Certificate, as PEM (default: server.crt in the current directory; else one the agent makes itself)',
  },
  'tls-key-path': {
    type: PATH,
    description: 'Its private key, as PEM (default: server.key in the current directory)',
  },
  'body-limit': { type: BYTES, default: '16m', description: 'The largest job request accepted' },
  'state-dir': {
    type: PATH,
    description:
      'What has to outlive the agent is kept here (default: /var/lib/agent for root, else ~/.local/state/agent)',
  },
  'kept-logs': { type: COUNT, default: '100', description: 'Logs of so many jobs stay readable' },
  'kept-logs-size': { type: BYTES, default: '1g', description: 'Unless they take more than this' },
  'shutdown-timeout': {
    type: DURATION,
    description: 'How long a running job may go on after SIGTERM (default: until it ends)',
  },
  'collection-timeout': {
    type: DURATION,
    default: '24h',
    description:
      "How long to wait for a job's log to be collected before teardown_finished is sent",
  },
  'log-level': {
    type: oneOf(LOG_LEVELS),
    default: 'info',
    description: 'The least that is logged',
  },
  'log-format': {
    type: oneOf(['text', 'json']),
    default: 'text',
    description: "The agent's own log: for people, or one JSON object a line",
  },
  'log-file-path': {
    type: PATH,
    description: 'The log is kept in this file as well (default: agent.log in the state directory)',
  },
  'log-file-size': {
    type: BYTES,
    default: '10m',
    description: 'At this size the file is renamed to .1 and begun anew',
  },
  ...JOB_SETTINGS,
} as const satisfies SettingTable
