/**
 * One test file's process: loads the file with the watched uvu in uvu's place, runs its suites, and
 * is then expected to end by itself.
 *
 * @module
 */

import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { send } from './message.ts'

/** Handles that close themselves get this long; a server left open never closes. */
const CLOSING_LIMIT_MS = 5_000

async function main(file: string): Promise<void> {
  // uvu's own switches: queue what .run() is called on, and leave it to us to start.
  Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: [[null]] })
  const watched = new URL('./watched-uvu.ts', import.meta.url).href
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'uvu' && context.parentURL !== watched
        ? { url: watched, shortCircuit: true }
        : next(specifier, context),
  })
  const { runQueue } = await import('./watched-uvu.ts')

  await import(pathToFileURL(file).href)
  await runQueue()

  send({ type: 'finished' })
  setTimeout(reportOpenHandles, CLOSING_LIMIT_MS).unref()
}

function reportOpenHandles(): void {
  const handles = process.getActiveResourcesInfo().filter((name) => !name.startsWith('Timeout'))
  const text = `keeps its process alive: ${handles.join(', ')}`
  send({ type: 'problem', text }, () => process.exit(1))
}

await main(process.argv[2] ?? '')
