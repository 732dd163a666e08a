/**
 * Makes this machine able to run the end-to-end tests: packages, an S3 server, a Docker Engine,
 * images. What is there already is kept, so a second run takes a moment. Fails, saying what is
 * missing, where it cannot install anything.
 *
 * @module
 */

import { ensureEngine } from './engine.ts'
import { ensureImages } from './images.ts'
import { ensurePackages } from './packages.ts'
import { ensureS3Server } from './s3-server.ts'

async function main(): Promise<void> {
  await ensurePackages()
  await ensureS3Server()
  await ensureEngine()
  await ensureImages()
}

await main()
