/**
 * The line in `~/.bash_profile` by which login shells of a person looking at a job see its variables.
 *
 * @module
 */

import { join } from 'node:path'
import { quoteWord } from '../shell/quote.ts'
import { addText, removeText, type SharedFile } from './shared-file.ts'

/** Ends each of our lines, so that they are found again. */
const TAG = '# added by the job agent, removed with the job'

/** bash reads the first of these that exists; ours must not hide the others. */
const HEADER = `# created by the job agent, removed with the job
if [ -r ~/.bash_login ]; then . ~/.bash_login; elif [ -r ~/.profile ]; then . ~/.profile; fi
`

/** @param file sourced by login shells from now on, as long as it exists */
export async function addToLoginProfile(home: string, file: string): Promise<void> {
  await addText(profileIn(home), lineFor(file))
}

/** Takes the line away again, and the file when nobody else has written to it. Repeatable. */
export async function removeFromLoginProfile(home: string, file: string): Promise<void> {
  await removeText(profileIn(home), lineFor(file))
}

function profileIn(home: string): SharedFile {
  return { path: join(home, '.bash_profile'), header: HEADER }
}

function lineFor(file: string): string {
  const word = quoteWord(file)
  return `\n[ ! -r ${word} ] || . ${word} ${TAG}\n`
}
