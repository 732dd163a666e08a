/**
 * The settings of `agent serve` as the rest of the agent uses them.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { defaultStateDirectories, type JobConfig, toJobConfig } from './job-config.ts'
import { readSettings } from './layers.ts'
import { Problems } from './problems.ts'
import { findSecret } from './secret.ts'
import { SERVE_SETTINGS } from './serve-settings.ts'
import { type SettingValues, variableOf } from './setting.ts'
import { type ConfigSources, findLayers, warnOfStrays } from './sources.ts'

type Values = SettingValues<typeof SERVE_SETTINGS>

/** Taken over as they are given. */
type Plain =
  | 'bodyLimit'
  | 'collectionTimeout'
  | 'host'
  | 'keptLogs'
  | 'keptLogsSize'
  | 'logFilePath'
  | 'logFileSize'
  | 'logFormat'
  | 'logLevel'
  | 'port'
  | 'shutdownTimeout'

export interface ServeConfig extends Pick<Values, Plain> {
  readonly secret: string
  /** The first writable one is used. */
  readonly stateDirectories: readonly string[]
  /** Undefined when the agent makes a certificate itself. */
  readonly certificate: CertificatePaths | undefined
  readonly job: JobConfig
  /** To be logged, once the log is open. */
  readonly warnings: readonly string[]
}

export interface CertificatePaths {
  readonly certPath: string
  readonly keyPath: string
}

/** @throws {ConfigError} naming the flag, variable or key that cannot be used */
export async function loadServeConfig(sources: ConfigSources): Promise<ServeConfig> {
  const config = await loadServeConfigButSecret(sources)
  const secret = await findServeSecret(sources)
  if (secret !== undefined) return { ...config, secret }
  throw new ConfigError('agent serve needs the secret that signs the clients’ tokens', {
    hint: `Give it with --auth-token-secret-file, ${variableOf('auth-token-secret')} or --auth-token-secret.`,
  })
}

/** For a look at a machine that may have no secret yet. @throws {ConfigError} as {@link loadServeConfig} */
export async function loadServeConfigButSecret(
  sources: ConfigSources,
): Promise<Omit<ServeConfig, 'secret'>> {
  const { environment, workingDirectory, isRoot } = sources
  const problems = new Problems()
  const layers = await findLayers(SERVE_SETTINGS, sources, problems)
  const given = readSettings(SERVE_SETTINGS, layers, problems)
  problems.throwIfAny()
  const { authTokenSecret, authTokenSecretFile, configFile, ...values } = given
  const { stateDir, tlsCertPath, tlsKeyPath, ...settings } = values
  const stateDirectories =
    stateDir === undefined ? defaultStateDirectories(environment, isRoot) : [stateDir]
  return {
    ...settings,
    stateDirectories,
    certificate: findCertificate(tlsCertPath, tlsKeyPath, workingDirectory),
    job: toJobConfig(settings, environment, stateDirectories),
    warnings: warnOfStrays(environment),
  }
}

/**
 * @returns undefined when it is given nowhere
 * @throws {ConfigError} when it is given and cannot be used
 */
export async function findServeSecret(sources: ConfigSources): Promise<string | undefined> {
  const layers = await findLayers(SERVE_SETTINGS, sources, new Problems())
  const secret = await findSecret('auth-token-secret', layers, sources.environment)
  return secret?.text
}

/** Given ones have to be there; the default ones may be, both or none. */
function findCertificate(
  certPath: string | undefined,
  keyPath: string | undefined,
  directory: string,
): CertificatePaths | undefined {
  const paths = {
    certPath: certPath ?? join(directory, 'server.crt'),
    keyPath: keyPath ?? join(directory, 'server.key'),
  }
  const isGiven = certPath !== undefined || keyPath !== undefined
  if (isGiven || existsSync(paths.certPath) || existsSync(paths.keyPath)) return paths
  return undefined
}
