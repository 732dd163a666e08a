/**
 * Every setting of `agent serve`.
 *
 * @module
 */

import { JOB_SETTINGS } from './job-settings.ts'
import { SERVICE_SETTINGS } from './service-settings.ts'
import type { SettingTable } from './setting.ts'
import { BYTES, DURATION, PATH, PORT, TEXT } from './value-type.ts'

export const SERVE_SETTINGS = {
  'auth-token-secret': {
    type: TEXT,
    description:
      "Secret that signs the clients' tokens; use the variable or a file, because options show in ps",
    isSecret: true,
  },
  'auth-token-secret-file': { type: PATH, description: 'File that contains the secret' },
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
  ...SERVICE_SETTINGS,
  ...JOB_SETTINGS,
} as const satisfies SettingTable
