/**
 * Who runs this process.
 *
 * @module
 */

import { userInfo } from 'node:os'

export interface User {
  readonly uid: number
  readonly name: string
  /** As the system has it, whatever `HOME` says. */
  readonly home: string
}

/** In a container it is often a number that has no name and no home: `docker run --user 1234`. */
export function currentUser(): User {
  try {
    const { uid, username: name, homedir: home } = userInfo()
    return { uid, name, home }
  } catch {
    const uid = process.getuid?.() ?? 0
    return { uid, name: String(uid), home: '/' }
  }
}
