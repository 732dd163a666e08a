/**
 * What a shell says of itself when it comes up. Pure.
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
  /** Path of the program; empty without one. */
  readonly stty: string
  /** `$-` */
  readonly flags: string
}

/** As the boot script prints them: user, group, where `stty` is if it is, `$-`, home. */
const FACTS = /^(\d+) (\d+) (\S*) (\S*) (.*)$/s

export function parseFacts(text: string): ShellFacts {
  const [, uid, gid, stty = '', flags = '', home = ''] = FACTS.exec(text) ?? []
  return { uid: Number(uid), gid: Number(gid), home, stty, flags }
}
