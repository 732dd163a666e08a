/**
 * What the login shell of a job on this host starts with.
 *
 * @module
 */

import { DEFAULT_PATH } from '../../config.ts'
import { currentUser } from '../../user.ts'

/** A service may be started with hardly any environment; a login shell expects these. */
export function withDefaults(
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const user = currentUser()
  return {
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    PATH: DEFAULT_PATH,
    TERM: 'xterm-256color',
    ...environment,
  }
}
