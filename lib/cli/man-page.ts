/**
 * `agent man-page`: the manual page, from the definitions of the commands. Packagers and the
 * release script call it.
 *
 * @module
 */

import { type CommandDef, defineCommand } from 'citty'
import { hostEnvironment } from '../config.ts'
import { VERSION } from '../version.ts'
import { describeProgram } from './definitions.ts'
import { print } from './print.ts'
import { renderManPage } from './roff.ts'

export const createManPageCommand = (program: CommandDef) =>
  defineCommand({
    meta: {
      name: 'man-page',
      description: `Print the manual page, in the format of man(1).

Examples:
  agent man-page | man -l -
  agent man-page | sudo install -Dm644 /dev/stdin /usr/local/share/man/man1/agent.1`,
    },
    run: async () => {
      const edition = { version: VERSION, date: dateOfEdition(hostEnvironment()) }
      await print(renderManPage(await describeProgram(program), edition))
    },
  })

/** @see https://reproducible-builds.org/specs/source-date-epoch/ */
function dateOfEdition(environment: NodeJS.ProcessEnv): string {
  const seconds = Number(environment['SOURCE_DATE_EPOCH'] || Date.now() / 1_000)
  return new Date(seconds * 1_000).toISOString().slice(0, 'YYYY-MM-DD'.length)
}
