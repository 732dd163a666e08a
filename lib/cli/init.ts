/**
 * `agent init`: the first job file of a project.
 *
 * @module
 */

import { readdir, writeFile } from 'node:fs/promises'
import { defineCommand } from 'citty'
import { FileError } from '../errors.ts'
import { print } from './print.ts'
import { startFor } from './starters.ts'

export const initCommand = defineCommand({
  meta: {
    name: 'init',
    description: `Write a first job file for the project in the current directory.

It is chosen by what is there: package.json, Gemfile, go.mod, Cargo.toml, pom.xml, requirements.txt
and others. A file that is already there stays as it is.

Examples:
  agent init
  agent init ci/test.yaml`,
  },
  args: {
    file: {
      type: 'positional',
      description: 'Where to write it; job.yaml by default',
      required: false,
    },
  },
  run: async ({ args: { file: path = 'job.yaml' } }) => {
    const { file, text } = startFor(new Set(await readdir('.')))
    await writeNew(path, text)
    const reason = file === undefined ? 'a general one' : `for ${file}`
    await print(`${path} written, ${reason}. Run it: agent run ${path}\n`)
  },
})

/** @throws {FileError} also when the file exists already */
async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const isThere = code === 'EEXIST'
    throw new FileError(isThere ? `${path} already exists` : `${path}: ${message}`, {
      hint: isThere
        ? 'Name another file (agent init FILE), or remove this one.'
        : 'Name a file in a writable directory.',
      cause,
    })
  }
}
