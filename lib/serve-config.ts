/**
 * The settings of `agent serve` as the rest of the agent works with them.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { jobEnvironment, parseDockerHost } from './config.ts'
import { ConfigError } from './errors.ts'
import type { EncodedVariable } from './request/job-request.ts'
import {
  flagLayer,
  type Layer,
  resolveSettings,
  strayVariables,
  variableLayer,
} from './settings/layers.ts'
import { type SettingValues, variableOf } from './settings/serve-settings.ts'
import { fileLayer } from './settings/settings-file.ts'

/** Read another way than as they are given. */
type ReadOtherwise =
  | 'authTokenSecret'
  | 'authTokenSecretFile'
  | 'configFile'
  | 'envVars'
  | 'files'
  | 'stateDir'
  | 'tlsCertPath'
  | 'tlsKeyPath'

export interface ServeConfig extends Omit<SettingValues, ReadOtherwise> {
  readonly secret: string
  /** The first that can be written to is taken. */
  readonly stateDirectories: readonly string[]
  /** Undefined when the agent makes a certificate itself. */
  readonly certificate: CertificatePaths | undefined
  /** For every job. */
  readonly hostVariables: readonly EncodedVariable[]
  readonly hostFiles: ReadonlyArray<{ readonly source: string; readonly target: string }>
  /** What a job's shell on this host inherits. */
  readonly jobEnvironment: Readonly<Record<string, string>>
  /** Of the user whose `~/.ssh` and login profile a job gets. */
  readonly home: string
  readonly temporaryDirectory: string
  readonly dockerSocketPath: string
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
  const { environment } = sources
  const layers = await findLayers(sources)
  const { authTokenSecret, authTokenSecretFile, configFile, envVars, files, ...values } =
    resolveSettings(layers)
  const { stateDir, tlsCertPath, tlsKeyPath, ...settings } = values
  return {
    ...settings,
    secret: await findSecret(layers, environment),
    stateDirectories: stateDir === undefined ? defaultStateDirectories(sources) : [stateDir],
    certificate: findCertificate(tlsCertPath, tlsKeyPath, sources.workingDirectory),
    hostVariables: envVars.map(([name, value]) => ({
      name,
      value: Buffer.from(value).toString('base64'),
    })),
    hostFiles: files.map(([source, target]) => ({ source, target })),
    jobEnvironment: withoutCredentials(jobEnvironment(environment)),
    home: environment['HOME'] || homedir(),
    temporaryDirectory: tmpdir(),
    dockerSocketPath: parseDockerHost(environment['DOCKER_HOST']),
    warnings: strayVariables(environment).map((name) => `${name} is set, but is no setting`),
  }
}

/** In the order in which they count. */
async function findLayers({ flags, environment }: ConfigSources): Promise<Layer[]> {
  const given = [flagLayer(flags), variableLayer(environment)]
  const file = given.map(({ values }) => values.get('config-file')).find((it) => it !== undefined)
  return file === undefined ? given : [...given, await fileLayer(String(file.text))]
}

/** Flag, variable, file, and in each the secret itself or a file that has it; then systemd's credential. */
async function findSecret(
  layers: readonly Layer[],
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  for (const { values } of layers) {
    const secret = values.get('auth-token-secret')
    const file = values.get('auth-token-secret-file')
    if (secret !== undefined && file !== undefined) {
      throw new ConfigError(`${secret.source} and ${file.source} exclude each other`, {
        hint: 'Give the secret itself or the file it is in.',
      })
    }
    if (secret !== undefined) return checkSecret(secret.source, String(secret.text))
    if (file !== undefined) return await readSecret(file.source, String(file.text))
  }
  const credentials = environment['CREDENTIALS_DIRECTORY'] ?? ''
  const credential = join(credentials, CREDENTIAL)
  if (credentials !== '' && existsSync(credential)) {
    return await readSecret("systemd's credential", credential)
  }
  throw new ConfigError('agent serve needs the secret that signs the clients’ tokens', {
    hint: `Give it by --auth-token-secret-file, ${variableOf('auth-token-secret')} or --auth-token-secret.`,
  })
}

async function readSecret(source: string, path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new ConfigError(`${source}: ${path} cannot be read: ${cause.message}`, {
      hint: "Name a file that the agent's user can read.",
      cause,
    })
  })
  return checkSecret(`${source} (${path})`, text.replace(/\r?\n$/, ''))
}

function checkSecret(source: string, secret: string): string {
  if (secret.trim() !== '') return secret
  throw new ConfigError(`${source}: the secret is empty`, {
    hint: 'Anybody could sign a token with it; use a long random one.',
  })
}

/** @see https://specifications.freedesktop.org/basedir-spec/latest/ for the one of other users */
function defaultStateDirectories({ environment, isRoot }: ConfigSources): string[] {
  const home = environment['HOME'] || homedir()
  const state = environment['XDG_STATE_HOME'] || join(home, '.local', 'state')
  return [...(isRoot ? ['/var/lib/agent'] : []), join(state, 'agent')]
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

/** A job must not be able to read the agent's credentials, nor need to. */
function withoutCredentials(environment: Record<string, string>): Record<string, string> {
  const { CREDENTIALS_DIRECTORY: _, ...others } = environment
  return others
}
