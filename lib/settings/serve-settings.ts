/**
 * Every setting of `agent serve`, once: its flag, its variable, its key in the file, the help text
 * and the table in the README all come from here.
 *
 * @module
 */

import { LOG_LEVELS } from '../log.ts'
import {
  BYTES,
  COUNT,
  DURATION,
  oneOf,
  PATH,
  PORT,
  pairsOf,
  SWITCH,
  TEXT,
  type ValueType,
} from './value-type.ts'

export interface Setting<T = unknown> {
  readonly type: ValueType<T>
  /** As text, read like any other value. */
  readonly default?: string
  readonly description: string
  /** Never shown, in no message. */
  readonly isSecret?: true
}

/** By the name of the flag. */
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
  'stop-grace-period': {
    type: DURATION,
    default: '10s',
    description: 'Between asking and killing when a job is stopped',
  },
  'callback-retry-attempts': {
    type: COUNT,
    default: '300',
    description: 'How often a callback is tried, a second apart',
  },
  'collection-timeout': {
    type: DURATION,
    default: '24h',
    description:
      "How long to wait for a job's log to be collected before teardown_finished is sent",
  },
  'env-vars': {
    type: pairsOf('=', 'NAME=value,…'),
    default: '',
    description: 'Variables for every job; those of the job win',
    isSecret: true,
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
  'pre-job-hook-path': {
    type: PATH,
    description: "Sourced in each job's shell before its commands",
  },
  'post-job-hook-path': {
    type: PATH,
    description: "Sourced in each job's shell after its epilogues",
  },
  'statsd-host': { type: TEXT, description: 'Where to send StatsD metrics of image pulls' },
  'statsd-port': { type: PORT, description: 'The port there' },
  'statsd-namespace': {
    type: TEXT,
    default: 'agent.prod',
    description: 'The prefix of every StatsD metric',
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
    default: '/tmp/agent_log',
    description: 'The log is kept in this file as well',
  },
  'log-file-size': {
    type: BYTES,
    default: '10m',
    description: 'At this size the file is renamed to .1 and begun anew',
  },
} as const satisfies Readonly<Record<string, Setting>>

export type SettingName = keyof typeof SERVE_SETTINGS

/** The values of all settings; one without a default may be absent. */
export type SettingValues = {
  readonly [Name in SettingName as CamelCase<Name>]: ValueOf<(typeof SERVE_SETTINGS)[Name]>
}

type ValueOf<S> = S extends { type: ValueType<infer T>; default: string }
  ? T
  : S extends { type: ValueType<infer T> }
    ? T | undefined
    : never

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** `auth-token-secret` → `SEMAPHORE_AGENT_AUTH_TOKEN_SECRET` */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll('-', '_')}`
}

export const VARIABLE_PREFIX = 'SEMAPHORE_AGENT_'
