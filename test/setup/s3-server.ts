/**
 * moto, an S3 server, in a Python environment of its own below `dist/`.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { run } from './run.ts'

const MOTO = '5.2.1'

/** What of moto's own extra `server` an S3 server needs: the rest is 190 MB. */
const PACKAGES = [`moto[s3]==${MOTO}`, 'flask', 'flask-cors']

const DIRECTORY = resolve('dist', `moto-${MOTO}`)

/** Has moto. */
export const PYTHON = join(DIRECTORY, 'bin', 'python')

const INSTALL_LIMIT_MS = 300_000

export async function ensureS3Server(): Promise<void> {
  if (existsSync(DIRECTORY)) return
  console.log(`Installing moto ${MOTO}`)
  await mkdir(resolve('dist'), { recursive: true })
  const work = await mkdtemp(resolve('dist', 'moto-'))
  try {
    const limits = { limitMs: INSTALL_LIMIT_MS }
    await run('virtualenv', ['--quiet', '--python', '/usr/bin/python3', work], limits)
    const options = ['--quiet', '--disable-pip-version-check']
    await run(
      join(work, 'bin', 'python'),
      ['-m', 'pip', 'install', ...options, ...PACKAGES],
      limits,
    )
    await rename(work, DIRECTORY)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
