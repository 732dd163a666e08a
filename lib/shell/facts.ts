/**
 * What a shell reports about itself when it is ready. Pure.
 *
 * @module
 */

export interface SessionInfo {
  readonly uid: number
  readonly gid: number
  /** Empty when the shell has none. */
  readonly home: string
}

export interface ShellFacts extends SessionInfo {
  /** Path of the `stty` program; empty if there is none. */
  readonly stty: string
  /** `$-` */
  readonly flags: string
}

/** As the boot script prints them: user, group, `$-`, home; on a line of its own where `stty` is, if it is. */
const FACTS = /^(\d+) (\d+) (\S*) (.*?)\r?\n(.*)$/s

export function parseFacts(text: string): ShellFacts {
  const [, uid, gid, flags = '', home = '', stty = ''] = FACTS.exec(text) ?? []
  return { uid: Number(uid), gid: Number(gid), home, stty, flags }
}
