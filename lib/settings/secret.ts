/**
 * Secrets: given themselves, in a file, or as a credential of systemd.
 *
 * @module
 */

import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { MAX_SMALL_BYTES, readBounded } from '../files/read-bounded.ts'
import type { Layer } from './layers.ts'

/** A secret that was found, and where. */
export interface Secret {
  readonly source: string
  readonly text: string
}

/**
 * In each layer the secret itself, or a file that has it; then systemd's credential of that name.
 *
 * @param name of the setting; that of the file is the same with `-file`
 * @param layers the first that has one of the two decides
 * @returns undefined when it is given nowhere
 * @throws {ConfigError} when it is given and cannot be used
 * @see systemd.exec(5), LoadCredential
 */
export async function findSecret(
  name: string,
  layers: readonly Layer[],
  environment: NodeJS.ProcessEnv,
): Promise<Secret | undefined> {
  for (const layer of layers) {
    const secret = layer.get(name)
    const file = layer.get(`${name}-file`)
    if (secret !== undefined && file !== undefined) {
      throw new ConfigError(`${secret.source} and ${file.source} cannot be used together`, {
        hint: 'Give the secret itself or the file it is in.',
      })
    }
    if (secret !== undefined) return checkSecret(secret.source, String(secret.text))
    if (file !== undefined) return await readSecret(file.source, String(file.text))
  }
  const credentials = environment['CREDENTIALS_DIRECTORY'] ?? ''
  const credential = join(credentials, name)
  if (credentials !== '' && existsSync(credential)) {
    return await readSecret("systemd's credential", credential)
  }
  return undefined
}

async function readSecret(source: string, path: string): Promise<Secret> {
  const bytes = await readBounded(createReadStream(path), MAX_SMALL_BYTES).catch((cause: Error) => {
    throw new ConfigError(`${source}: ${path} cannot be read: ${cause.message}`, {
      hint: "Name a file that the agent's user can read.",
      cause,
    })
  })
  return checkSecret(`${source} (${path})`, bytes.toString('utf8').replace(/\r?\n$/, ''))
}

function checkSecret(source: string, text: string): Secret {
  if (text.trim() !== '') return { source, text }
  throw new ConfigError(`${source}: the secret is empty`, {
    hint: 'It protects nothing: give a long random one, or the token you were given.',
  })
}
