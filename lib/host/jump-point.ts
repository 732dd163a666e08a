/**
 * The script by which a person who has logged in to this host gets into the job (see lib/access/README.md):
 * `ssh -t -p <port> <ip> bash /tmp/ssh_jump_point [command…]`.
 *
 * @module
 */

import { replaceFile } from '../files/replace-file.ts'
import { quoteWord } from '../shell/quote.ts'
import { currentUser } from '../user.ts'

/** Fixed: people and control planes know it. */
export const JUMP_POINT_PATH = '/tmp/ssh_jump_point'

/** What the scripts need to know of their job. */
export interface JumpTarget {
  /** There as long as the job is. */
  readonly directory: string
  /** Made by the script when somebody comes in; its name ends with the script's pid. */
  readonly sessionPrefix: string
}

/**
 * A job on the host itself: its variables are in every login shell. A command that a signal ends
 * gives 128 + its number, as in containers: of the signal itself ssh makes 255, as of a connection
 * that is lost. What bash has to say about it is not the command's.
 */
export function shellJumpPoint({ directory, sessionPrefix }: JumpTarget): string {
  return `${head(directory)}
set -C
: >${quoteWord(sessionPrefix)}$$
set +C
if [ $# -eq 0 ]; then exec bash --login; fi
trap : INT QUIT
{ bash --login -c '"$@"' bash "$@" 2>&3 3>&-; } 3>&2 2>/dev/null
exit
`
}

/**
 * A job in containers: the agent's own binary speaks to the engine, so no other program is needed.
 *
 * @param agent absolute path of the binary
 */
export function containerJumpPoint({ directory }: JumpTarget, agent: string): string {
  return `${head(directory)}
exec ${quoteWord(agent)} jump-point ${quoteWord(directory)} -- "$@"
`
}

/**
 * Nothing is run that is not of the very user who has logged in: root could be led anywhere. For
 * others the directories of the user's jobs are closed.
 */
function head(directory: string): string {
  const { name, uid } = currentUser()
  return `#!/bin/bash
if [ "$EUID" != ${uid} ]; then
  echo ${quoteWord(`This job is of user ${name}: log in as that one.`)} >&2
  exit 1
fi
if [ -L ${quoteWord(directory)} ] || [ ! -O ${quoteWord(directory)} ] || [ ! -d ${quoteWord(directory)} ]; then
  echo 'The job is over: there is nothing left to get into.' >&2
  exit 1
fi`
}

/** @throws {Error} of the file system */
export async function writeJumpPoint(script: string, path = JUMP_POINT_PATH): Promise<void> {
  await replaceFile(path, script, { mode: 0o755 })
}
