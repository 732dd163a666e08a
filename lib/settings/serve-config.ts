/**
 * The settings of `agent serve` as the rest of the agent works with them.
 *
 * @module
 */

import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { MAX_SMALL_BYTES, readBounded } from '../read-bounded.ts'
import { defaultStateDirectories, type JobConfig, toJobConfig } from './job-config.ts'
import { flagLayer, type Layer, resolveSettings, strayVariables, variableLayer } from './layers.ts'
import { RUN_SETTINGS } from './run-settings.ts'
import { SERVE_SETTINGS } from './serve-settings.ts'
import { type SettingValues, variableOf } from './setting.ts'
import { fileLayer } from './settings-file.ts'

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
  /** The first that can be written to is taken. */
  readonly stateDirectories: readonly string[]
  /** Undefined when the agent makes a certificate itself. */
  readonly certificate: CertificatePaths | undefined
  readonly job: JobConfig
  /** For the log, once there is one. */
  readonly warnings: readonly string[]
}

export interface CertificatePaths {
  readonly certPath: string
  readonly keyPath: string
}

/** What settings are read from. */
export interface ConfigSources {
  /** As the command line gives them, by name; absent = not given. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: NodeJS.ProcessEnv
  /** Where `server.crt` and `server.key` are looked for. */
  readonly workingDirectory: string
  readonly isRoot: boolean
}

/** Made known by systemd to a service with `LoadCredential=auth-token-secret:…`. */
const CREDENTIAL = 'auth-token-secret'

/** @throws {ConfigError} naming the flag, variable or key that cannot be used */
export async function loadServeConfig(sources: ConfigSources): Promise<ServeConfig> {
  const config = await loadServeConfigButSecret(sources)
  const secret = await findServeSecret(sources)
  if (secret !== undefined) return { ...config, secret }
  throw new ConfigError('agent serve needs the secret that signs the clients’ tokens', {
    hint: `Give it by --auth-token-secret-file, ${variableOf('auth-token-secret')} or --auth-token-secret.`,
  })
}

/** For a look at a machine that may have no secret yet. @throws {ConfigError} as {@link loadServeConfig} */
export async function loadServeConfigButSecret(
  sources: ConfigSources,
): Promise<Omit<ServeConfig, 'secret'>> {
  const { environment, workingDirectory, isRoot } = sources
  const layers = await findLayers(sources)
  const { authTokenSecret, authTokenSecretFile, configFile, ...values } = resolveSettings(
    SERVE_SETTINGS,
    layers,
  )
  const { stateDir, tlsCertPath, tlsKeyPath, ...settings } = values
  const strays = strayVariables([SERVE_SETTINGS, RUN_SETTINGS], environment)
  const stateDirectories =
    stateDir === undefined ? defaultStateDirectories(environment, isRoot) : [stateDir]
  return {
    ...settings,
    stateDirectories,
    certificate: findCertificate(tlsCertPath, tlsKeyPath, workingDirectory),
    job: toJobConfig(settings, environment, stateDirectories),
    warnings: strays.map((name) => `unknown setting ${name}`),
  }
}

/** In the order in which they count. */
async function findLayers({ flags, environment }: ConfigSources): Promise<Layer[]> {
  const given = [flagLayer(SERVE_SETTINGS, flags), variableLayer(SERVE_SETTINGS, environment)]
  const file = given.map((layer) => layer.get('config-file')).find((it) => it !== undefined)
  return file === undefined ? given : [...given, await fileLayer(SERVE_SETTINGS, String(file.text))]
}

/**
 * Flag, variable, file, and in each the secret itself or a file that has it; then systemd's credential.
 *
 * @returns undefined when it is given nowhere
 * @throws {ConfigError} when it is given and cannot be used
 */
export async function findServeSecret(sources: ConfigSources): Promise<string | undefined> {
  for (const layer of await findLayers(sources)) {
    const secret = layer.get('auth-token-secret')
    const file = layer.get('auth-token-secret-file')
    if (secret !== undefined && file !== undefined) {
      throw new ConfigError(`${secret.source} and ${file.source} exclude each other`, {
        hint: 'Give the secret itself or the file it is in.',
      })
    }
    if (secret !== undefined) return checkSecret(secret.source, String(secret.text))
    if (file !== undefined) return await readSecret(file.source, String(file.text))
  }
  const credentials = sources.environment['CREDENTIALS_DIRECTORY'] ?? ''
  const credential = join(credentials, CREDENTIAL)
  if (credentials !== '' && existsSync(credential)) {
    return await readSecret("systemd's credential", credential)
  }
  return undefined
}

async function readSecret(source: string, path: string): Promise<string> {
  const bytes = await readBounded(createReadStream(path), MAX_SMALL_BYTES).catch((cause: Error) => {
    throw new ConfigError(`${source}: ${path} cannot be read: ${cause.message}`, {
      hint: "Name a file that the agent's user can read.",
      cause,
    })
  })
  return checkSecret(`${source} (${path})`, bytes.toString('utf8').replace(/\r?\n$/, ''))
}

function checkSecret(source: string, secret: string): string {
  if (secret.trim() !== '') return secret
  throw new ConfigError(`${source}: the secret is empty`, {
    hint: 'Anybody could sign a token with it; use a long random one.',
  })
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
