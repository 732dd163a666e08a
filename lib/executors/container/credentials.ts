/**
 * From a request's image pull credentials to logins the engine can pull with. They live in memory,
 * for this job only (contract, section 8).
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { type RegistryLogin, verifyLogin } from '../../docker/images.ts'
import { DOCKER_HUB, normalizeRegistry } from '../../docker/reference.ts'
import { ContentError } from '../../errors.ts'
import { decodeBase64 } from '../../request/base64.ts'
import type { PullCredential } from '../../request/job-request.ts'
import type { RunOptions } from '../executor.ts'

const DOCKER_HUB_ADDRESS = 'https://index.docker.io/v1/'

/** Where Google's credentials carry the key. */
const GCR_KEY_FILE = '/tmp/gcr/keyfile.json'

/** One way of logging in, by the value of DOCKER_CREDENTIAL_TYPE. */
interface Strategy {
  /** As the log names it. */
  readonly title: string
  readonly resolve: (credential: Credential) => RegistryLogin
}

/** A credential's decoded values; a missing one is the job author's mistake, and told as such. */
interface Credential {
  readonly variable: (name: string) => string
  readonly file: (path: string) => string
}

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  DockerHub: {
    title: 'DockerHub',
    resolve: ({ variable }) => ({
      registry: DOCKER_HUB,
      address: DOCKER_HUB_ADDRESS,
      username: variable('DOCKERHUB_USERNAME'),
      password: variable('DOCKERHUB_PASSWORD'),
    }),
  },
  GenericDocker: {
    title: 'Docker',
    resolve: ({ variable }) => ({
      ...registryAt(variable('DOCKER_URL')),
      username: variable('DOCKER_USERNAME'),
      password: variable('DOCKER_PASSWORD'),
    }),
  },
  GCR: {
    title: 'GCR',
    resolve: ({ variable, file }) => ({
      ...registryAt(variable('GCR_HOSTNAME')),
      username: '_json_key',
      password: file(GCR_KEY_FILE),
    }),
  },
  AWS_ECR: {
    title: 'ECR',
    resolve: () => {
      throw new ContentError('Logging in to AWS ECR is not supported yet', {
        hint: 'Use a GenericDocker credential with the registry’s URL, user AWS, and a token from "aws ecr get-login-password".',
      })
    },
  },
}

/**
 * Logs in with each credential, one after the other, and says which.
 *
 * @returns exit code: not 0 when one cannot be used; `logins` gets those that can
 */
export async function setUpCredentials(
  docker: DockerClient,
  credentials: readonly PullCredential[],
  logins: RegistryLogin[],
  { signal, onOutput }: RunOptions,
): Promise<number> {
  const say = async (text: string) => await onOutput(Buffer.from(`${text}\n`))
  for (const encoded of credentials) {
    const credential = decode(encoded)
    const type = credential.variable('DOCKER_CREDENTIAL_TYPE', '')
    const strategy = Object.hasOwn(STRATEGIES, type) ? STRATEGIES[type] : undefined
    if (strategy === undefined) {
      const reason =
        type === '' ? 'DOCKER_CREDENTIAL_TYPE not set' : `unknown DOCKER_CREDENTIAL_TYPE: '${type}'`
      await say(`Failed to resolve docker login strategy: ${reason}`)
      return 1
    }
    await say(`Setting up credentials for ${strategy.title}`)
    logins.push(await verifyLogin(docker, strategy.resolve(credential), signal))
  }
  return 0
}

function decode({ envVars, files }: PullCredential) {
  return {
    variable: (name: string, fallback?: string): string => {
      const found = envVars.find((variable) => variable.name === name)
      if (found === undefined && fallback !== undefined) return fallback
      if (found === undefined) throw missing(`its variable ${name}`)
      return decodeBase64(found.value, `The value of ${name}`).toString()
    },
    file: (path: string): string => {
      const found = files.find((file) => file.path === path)
      if (found === undefined) throw missing(`its file ${path}`)
      return decodeBase64(found.content, `The content of ${path}`).toString()
    },
  }
}

function missing(what: string): ContentError {
  return new ContentError(`An image pull credential lacks ${what}`, {
    hint: 'Add it to compose.image_pull_credentials of the job, its value in base64.',
  })
}

function registryAt(url: string): Pick<RegistryLogin, 'address' | 'registry'> {
  const registry = normalizeRegistry(url)
  return { registry, address: registry === DOCKER_HUB ? DOCKER_HUB_ADDRESS : url }
}
