/**
 * The user that a service runs as: made if need be, put in the group docker, and what of this the
 * agent did itself undone at the end.
 *
 * @module
 */

import { appendFile, readFile } from 'node:fs/promises'
import { ConfigError } from '../errors.ts'
import { makeDirectory } from '../make-directory.ts'
import { runProgram, succeeds } from './system.ts'
import { CONFIG_DIRECTORY, MADE_MEMBERS_PATH, MADE_USERS_PATH } from './unit.ts'

type Say = (line: string) => void

const GROUP = 'docker'

/** Repeatable. @throws {ServiceError} with what the system said */
export async function prepareUser(user: string, say: Say): Promise<void> {
  if (user === 'root') return
  if (!(await exists(user))) {
    await runProgram('useradd', '--system', '--create-home', '--shell', '/bin/bash', user)
    await note(MADE_USERS_PATH, user)
    say(`User: ${user}, new`)
  }
  if (!(await succeeds('getent', 'group', GROUP))) {
    say(`There is no group ${GROUP}: jobs in containers will not work for user ${user}`)
    return
  }
  const groups = await runProgram('id', '-Gn', user)
  if (!groups.trim().split(' ').includes(GROUP)) {
    await runProgram('usermod', '--append', '--groups', GROUP, user)
    await note(MADE_MEMBERS_PATH, user)
  }
  say(
    `User ${user} is in the group ${GROUP}: its jobs may use containers, which is as good as root`,
  )
}

/**
 * Before the service is changed: a home is closed to others as a rule.
 *
 * @throws {ConfigError} when the user may not run that program
 */
export async function requireRunnable(program: string, user: string): Promise<void> {
  if (user === 'root' || (await succeeds('runuser', '-u', user, '--', 'test', '-x', program)))
    return
  throw new ConfigError(`User ${user} may not run ${program}`, {
    hint: `Put it where everybody may, and call that one: install -m 0755 ${program} /usr/local/bin/agent`,
  })
}

/** Users who were there before stay, in the groups they were in. Repeatable. @throws {ServiceError} */
export async function undoUsers(say: Say): Promise<void> {
  for (const user of await notesIn(MADE_USERS_PATH)) {
    if (!(await exists(user))) continue
    await runProgram('userdel', '--remove', user)
    say(`Removed: user ${user} with its home`)
  }
  for (const user of await notesIn(MADE_MEMBERS_PATH)) {
    if (!(await exists(user))) continue
    if (await succeeds('gpasswd', '--delete', user, GROUP)) {
      say(`Removed: user ${user} from the group ${GROUP}`)
    }
  }
}

async function exists(user: string): Promise<boolean> {
  return await succeeds('id', '-u', user)
}

async function note(path: string, user: string): Promise<void> {
  await makeDirectory(CONFIG_DIRECTORY, 0o755)
  await appendFile(path, `${user}\n`)
}

async function notesIn(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '') // there were none
  return text.split('\n').filter((line) => line !== '')
}
