/**
 * Logs in to the registries a request has credentials for. The logins live in memory, for this job
 * only (see lib/executors/container/README.md).
 *
 * @module
 */

import { LinkedAbort } from '../../../async/abort.ts'
import type { DockerClient } from '../../../docker/client.ts'
import { type RegistryLogin, verifyLogin } from '../../../docker/images.ts'
import { ContentError, ImagePullError } from '../../../errors.ts'
import type { AddSecret } from '../../../masking/masking.ts'
import { decodeBase64 } from '../../../request/base64.ts'
import type { PullCredential } from '../../../request/job-request.ts'
import type { RunOptions } from '../../executor.ts'
import { retryTransient } from '../retry-transient.ts'
import { type Credential, findStrategy } from './login-strategies.ts'
import { StallWatch } from './stall-watch.ts'

export interface CredentialOptions extends RunOptions {
  /** Of the agent's process. */
  readonly environment: Readonly<Record<string, string>>
  /** Told of what registries give in exchange for a credential. */
  readonly addSecret: AddSecret
  /** A registry that does not answer for so long fails its login. */
  readonly stallTimeoutMs: number
}

/**
 * Logs in with each credential, one after the other, and says which.
 *
 * @returns exit code: not 0 when one cannot be used; `logins` gets those that can
 * @throws {AgentError} with the registry's reason when it refuses one
 */
export async function setUpCredentials(
  docker: DockerClient,
  credentials: readonly PullCredential[],
  logins: RegistryLogin[],
  options: CredentialOptions,
): Promise<number> {
  const { addSecret, onOutput } = options
  for (const encoded of credentials) {
    const credential = decode(encoded)
    const type = credential.optional('DOCKER_CREDENTIAL_TYPE') ?? ''
    const strategy = findStrategy(type)
    if (strategy === undefined) {
      const reason =
        type === '' ? 'DOCKER_CREDENTIAL_TYPE not set' : `unknown DOCKER_CREDENTIAL_TYPE: '${type}'`
      await onOutput(`Failed to resolve docker login strategy: ${reason}\n`)
      return 1
    }
    await onOutput(`Setting up credentials for ${strategy.title}\n`)
    const login = await retryTransient(async () => {
      const given = await strategy.resolve(credential, options)
      addSecret(Buffer.from(given.password))
      return await verify(docker, given, options)
    }, options)
    addSecret(Buffer.from(login.identityToken ?? ''))
    logins.push(login)
  }
  return 0
}

async function verify(
  docker: DockerClient,
  login: RegistryLogin,
  { signal, stallTimeoutMs }: CredentialOptions,
): Promise<RegistryLogin> {
  const watch = new StallWatch((limitMs) => {
    const seconds = limitMs / 1_000
    return new ImagePullError(`${login.registry} did not answer the login within ${seconds} s`, {
      hint: 'Check the registry and the network; --pull-stall-timeout allows it more time.',
    })
  })
  watch.start(stallTimeoutMs)
  try {
    using either = new LinkedAbort(signal, watch.signal)
    return await verifyLogin(docker, login, either.signal)
  } finally {
    watch.stop()
  }
}

function decode({ envVars, files }: PullCredential): Credential {
  const optional = (name: string) => {
    const found = envVars.find((variable) => variable.name === name)
    if (found === undefined) return undefined
    return withoutNewline(decodeBase64(found.value, `The value of ${name}`).toString()) || undefined
  }
  return {
    optional,
    variable: (name) => optional(name) ?? missing(`its variable ${name}`),
    file: (path) => {
      const found = files.find((file) => file.path === path)
      if (found === undefined) return missing(`its file ${path}`)
      return withoutNewline(decodeBase64(found.content, `The content of ${path}`).toString())
    },
  }
}

/** As `docker login --password-stdin` reads it: what `echo` has added is not meant. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function missing(what: string): never {
  throw new ContentError(`An image pull credential lacks ${what}`, {
    hint: 'Add it to compose.image_pull_credentials of the job, its value in base64.',
  })
}
