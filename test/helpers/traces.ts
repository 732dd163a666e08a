/** Looks for secrets where they must not be: in whatever form, as files, as arguments, on the engine. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { callEngine } from '../setup/engine.ts'
import { processesMatching } from './host.ts'

/** Base64 of a text depends on what stands before it: three ways, without the edges that vary. */
export function formsOf(secret: string): readonly string[] {
  const encoded = [0, 1, 2].map((before) => {
    const text = Buffer.from(`${'.'.repeat(before)}${secret}`).toString('base64')
    return text.replace(/=+$/, '').slice(before === 0 ? 0 : 4, -4)
  })
  return [secret, ...encoded]
}

/** @returns where which of the secrets is, in any form; empty when all is well */
export function tracesIn(where: string, text: string, secrets: readonly string[]): string[] {
  return secrets
    .filter((secret) => formsOf(secret).some((form) => text.includes(form)))
    .map((secret) => `${where} has ${secret}`)
}

/** Of regular files; what vanishes meanwhile is no trace. */
export async function tracesInFiles(
  directory: string,
  secrets: readonly string[],
): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const found = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, 'latin1').catch(() => '')
      return tracesIn(path, text, secrets)
    }),
  )
  return found.flat()
}

/** In the arguments of any process of this machine. */
export function tracesInProcesses(secrets: readonly string[]): string[] {
  return secrets.filter((secret) =>
    formsOf(secret).some((form) => processesMatching(form).length > 0),
  )
}

/** In what `docker inspect` says of a job's containers and their images. */
export async function tracesOnEngine(
  jobId: string,
  secrets: readonly string[],
): Promise<{ readonly containers: number; readonly traces: readonly string[] }> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`agent.job=${jobId}`] }))
  const list = await callEngine('GET', `/containers/json?all=true&filters=${filters}`)
  const containers = JSON.parse(list.text) as ReadonlyArray<{ Id: string; ImageID: string }>
  const paths = containers.flatMap(({ Id, ImageID }) => [
    `/containers/${Id}/json`,
    `/images/${ImageID}/json`,
  ])
  const answers = await Promise.all(paths.map((path) => callEngine('GET', path)))
  const traces = answers.flatMap(({ text }, i) => tracesIn(paths[i] ?? '', text, secrets))
  return { containers: containers.length, traces }
}
