/**
 * A terminal on this host with a program on it, and the choice of how to make one.
 *
 * @module
 */

import { TerminalMissingError } from '../errors.ts'
import { loadPtyAddon, type PtyAddon } from './addon.ts'
import type { HostTerminal, Program } from './program.ts'
import { openPty } from './pty.ts'
import { findScript, openScript } from './script.ts'

/**
 * Starts a program on a new terminal, in a session of its own: by the addon in this binary, or by
 * the `script` program where the addon cannot be loaded (a static binary, every directory `noexec`).
 *
 * @throws {TerminalMissingError} when neither is to be had
 */
export function openHostTerminal(program: Program): HostTerminal {
  let addon: PtyAddon
  try {
    addon = loadPtyAddon()
  } catch (cause) {
    const script = findScript(program.environment['PATH'] ?? '')
    if (script !== undefined) return openScript(script, program)
    throw new TerminalMissingError('This host has no way to give the job a terminal', {
      hint:
        'Install the "script" program (package bsdutils on Debian and Ubuntu, util-linux or ' +
        'util-linux-script on Fedora and RHEL, util-linux-misc on Alpine), or make /tmp, /dev/shm or /var/tmp executable for the agent.',
      cause,
    })
  }
  return openPty(addon, program)
}
