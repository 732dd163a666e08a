/**
 * The script by which a person who has logged in to this host gets into the job (contract, section 9):
 * `ssh -t -p <port> <ip> bash /tmp/ssh_jump_point [command…]`.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'

/** Fixed: people and control planes know it. */
export const JUMP_POINT_PATH = '/tmp/ssh_jump_point'

/** A job on the host itself: its variables are in every login shell. */
export const SHELL_JUMP_POINT = `#!/bin/bash
if [ $# -eq 0 ]; then exec bash --login; fi
exec bash --login -c '"$@"' bash "$@"
`

/**
 * Writes the script anew. By rename: what another user may have put there, a link for instance, is
 * not written to.
 *
 * @throws {Error} of the file system
 */
export async function writeJumpPoint(script: string, path = JUMP_POINT_PATH): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(temporary, script, { mode: 0o755, flag: 'wx' })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
