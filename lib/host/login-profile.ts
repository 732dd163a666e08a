/**
 * The line in `~/.bash_profile` by which login shells of a person looking at a job see its variables.
 *
 * @module
 */

import { dirname } from 'node:path'
import { bytes, encodeBytes } from '../files/byte-string.ts'
import { quoteWord } from '../shell/quote.ts'
import { identifySelf, lifeOf } from './agent-identity.ts'
import { addText, changeText, cutText, type SharedFile } from './shared-file.ts'

/** In each of our lines, so that they are found again; behind it who has written it. */
const TAG = '# added by the job agent, removed with the job'

/** bash reads the first of these that exists; ours must not hide the others. */
const HEADER = `# created by the job agent, removed with the job
if [ -r ~/.bash_login ]; then . ~/.bash_login; elif [ -r ~/.profile ]; then . ~/.profile; fi
`

/** @param file sourced by login shells from now on, as long as it exists and is the person's own */
export async function addToLoginProfile(home: string, file: string): Promise<void> {
  await addText(profileIn(home), lineFor(file))
}

/** Takes the line away again, and the file when nobody else has written to it. Repeatable. */
export async function removeFromLoginProfile(home: string, file: string): Promise<void> {
  const name = encodeBytes(quoteWord(file))
  await removeLines(home, (line) => line.includes(` . ${name} ${TAG}`))
}

/** Those of agents that have ended without taking them away. Repeatable. */
export async function removeDeadProfileLines(home: string): Promise<void> {
  await removeLines(home, (line) => {
    const [, identity = ''] = line.split(`${TAG}: `)
    return lifeOf(identity) === 'dead'
  })
}

async function removeLines(home: string, isMeant: (line: string) => boolean): Promise<void> {
  await changeText(profileIn(home), (content) => {
    const own = content.split('\n').filter((line) => line.includes(TAG) && isMeant(line))
    return own.reduce((rest, line) => cutText(rest, bytes`\n${line}\n`), content)
  })
}

function profileIn(home: string): SharedFile {
  return { home, name: '.bash_profile', header: HEADER }
}

/** `-O`: another user who logs in, root above all, runs nothing that is not their own. */
function lineFor(file: string): string {
  const [directory, word] = [quoteWord(dirname(file)), quoteWord(file)]
  const isForeign = `[ -L ${directory} ] || [ ! -O ${directory} ] || [ ! -O ${word} ]`
  return `\n${isForeign} || . ${word} ${TAG}: ${identifySelf()}\n`
}
