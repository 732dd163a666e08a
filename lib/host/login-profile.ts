/**
 * The line in `~/.bash_profile` by which login shells of a person looking at a job see its variables.
 *
 * @module
 */

import { appendFile, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteWord } from '../shell/quote.ts'

const NAME = '.bash_profile'

/** Ends each of our lines, so that they are found again. */
const TAG = '# added by the job agent, removed with the job'

/** bash reads the first of these that exists; ours must not hide the others. */
const CREATED = `# created by the job agent, removed with the job
if [ -r ~/.bash_login ]; then . ~/.bash_login; elif [ -r ~/.profile ]; then . ~/.profile; fi
`

/** @param file sourced by login shells from now on, as long as it exists */
export async function addToLoginProfile(home: string, file: string): Promise<void> {
  const profile = await findProfile(home)
  const created = (await readText(profile)) === undefined
  await appendFile(profile, `${created ? CREATED : ''}${lineFor(file)}`, { mode: 0o600 })
}

/** Takes the line away again, and the file when nobody else has written to it. Repeatable. */
export async function removeFromLoginProfile(home: string, file: string): Promise<void> {
  const profile = await findProfile(home)
  const text = await readText(profile)
  if (text === undefined || !text.includes(lineFor(file))) return
  const rest = text.replace(lineFor(file), '')
  if (rest === CREATED) return await rm(profile, { force: true })

  // By rename: a login at this moment sees the old file or the new one, never half of one.
  const temporary = `${profile}.agent-${process.pid}`
  await writeFile(temporary, rest, { encoding: 'latin1', mode: (await stat(profile)).mode & 0o777 })
  await rename(temporary, profile)
}

function lineFor(file: string): string {
  const word = quoteWord(file)
  return `\n[ ! -r ${word} ] || . ${word} ${TAG}\n`
}

/** People keep their profile as a link into another directory. */
async function findProfile(home: string): Promise<string> {
  const path = join(home, NAME)
  return await realpath(path).catch(() => path)
}

/** latin1 keeps every byte as it is. */
async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
