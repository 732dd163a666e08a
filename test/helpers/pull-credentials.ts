/** Image pull credentials as a job request carries them. */

import { encode } from './agent.ts'

export interface Credential {
  readonly env_vars: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly files?: ReadonlyArray<{ readonly path: string; readonly content: string }>
}

export function credential(
  type: string,
  variables: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Credential {
  const all = { DOCKER_CREDENTIAL_TYPE: type, ...variables }
  return {
    env_vars: Object.entries(all).map(([name, value]) => ({ name, value: encode(value) })),
    files: Object.entries(files).map(([path, content]) => ({ path, content: encode(content) })),
  }
}

interface Login {
  readonly host: string
  readonly username: string
  readonly password: string
}

export function generic({ host, username, password }: Login): Credential {
  return credential('GenericDocker', {
    DOCKER_URL: host,
    DOCKER_USERNAME: username,
    DOCKER_PASSWORD: password,
  })
}
