/**
 * From an image pull credential to a login the engine can use: one way for each value of
 * DOCKER_CREDENTIAL_TYPE (see lib/executors/container/README.md).
 *
 * @module
 */

import type { RegistryLogin } from '../../../docker/images.ts'
import { DOCKER_HUB, normalizeRegistry, pathOfRegistry } from '../../../docker/reference.ts'

/** A credential's decoded values; a missing one is the job author's mistake, and reported as such. */
export interface Credential {
  readonly variable: (name: string) => string
  /** Undefined when it is not there, or empty. */
  readonly optional: (name: string) => string | undefined
  readonly file: (path: string) => string
}

export interface LoginContext {
  /** Of the agent's process: its variables redirect calls to others' servers. */
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface Strategy {
  /** As the log names it. */
  readonly title: string
  readonly resolve: (
    credential: Credential,
    context: LoginContext,
  ) => RegistryLogin | Promise<RegistryLogin>
}

/** Of Docker Hub, as engines know it. */
const DOCKER_HUB_URL = 'https://index.docker.io/v1/'

/** Where Google's credentials carry the key. */
const GCR_KEY_FILE = '/tmp/gcr/keyfile.json'

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  DockerHub: {
    title: 'DockerHub',
    resolve: ({ variable }, { environment }) => ({
      ...registryAt(environment['DOCKER_HUB_URL'] || DOCKER_HUB_URL),
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
  AWS_ECR: { title: 'ECR', resolve: resolveEcr },
}

export function findStrategy(type: string): Strategy | undefined {
  return Object.hasOwn(STRATEGIES, type) ? STRATEGIES[type] : undefined
}

async function resolveEcr(
  { variable, optional }: Credential,
  { environment, signal }: LoginContext,
): Promise<RegistryLogin> {
  const endpoint = (service: string) =>
    environment[`AWS_ENDPOINT_URL_${service}`] || environment['AWS_ENDPOINT_URL'] || undefined
  const access = {
    region: variable('AWS_REGION'),
    accessKeyId: variable('AWS_ACCESS_KEY_ID'),
    secretAccessKey: variable('AWS_SECRET_ACCESS_KEY'),
    sessionToken: optional('AWS_SESSION_TOKEN'),
    accountId: optional('AWS_ACCOUNT_ID'),
    endpoints: { ecr: endpoint('ECR'), sts: endpoint('STS') },
    signal,
  }
  const { getEcrLogin } = await import('../../../aws/ecr-login.ts') // only these jobs need a signer
  const { address, ...login } = await getEcrLogin(access)
  return { ...registryAt(address), ...login }
}

/** @param given maybe with a login of its own, which would get into messages */
function registryAt(given: string): Pick<RegistryLogin, 'address' | 'path' | 'registry'> {
  const url = given.replace(/^(https?:\/\/)?[^/]*@/, '$1')
  const registry = normalizeRegistry(url)
  const address = registry === DOCKER_HUB ? DOCKER_HUB_URL : url
  return { registry, path: pathOfRegistry(url), address }
}
