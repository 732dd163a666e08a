/**
 * Makes this machine able to run the end-to-end tests: packages, a Docker Engine, images. What is
 * there already is kept, so a second run takes a moment. Fails, saying what is missing, where it
 * cannot install anything.
 *
 * @module
 */

import { ensureEngine } from './engine.ts'
import { ensureImages } from './images.ts'
import { ensurePackages } from './packages.ts'

async function main(): Promise<void> {
  await ensurePackages()
  await ensureEngine()
  await ensureImages()
}

await main()
