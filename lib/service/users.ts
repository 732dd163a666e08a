/**
 * The user that a service runs as: made if need be, put in the group docker, and what of this the
 * agent did itself undone at the end.
 *
 * @module
 */

import { appendFile, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { runProgram, succeeds } from './run-program.ts'
import { CONFIG_DIRECTORY, MADE_MEMBERS_PATH, MADE_USERS_PATH } from './unit.ts'

type Print = (line: string) => void

const GROUP = 'docker'

/** Repeatable. @throws {ServiceError} with what the system said */
export async function prepareUser(user: string, print: Print): Promise<void> {
  if (user === 'root') return
  if (!(await exists(user))) {
    await runProgram('useradd', '--system', '--create-home', '--shell', '/bin/bash', user)
    await note(MADE_USERS_PATH, user)
    print(`User: ${user}, new`)
  }
  if (!(await succeeds('getent', 'group', GROUP))) {
    print(`There is no group ${GROUP}: jobs in containers will not work for user ${user}`)
    return
  }
  const groups = await runProgram('id', '-Gn', user)
  if (!groups.trim().split(' ').includes(GROUP)) {
    await runProgram('usermod', '--append', '--groups', GROUP, user)
    await note(MADE_MEMBERS_PATH, user)
  }
  print(
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
    hint: `Copy it to a directory everybody can read, and run that copy: install -m 0755 ${program} /usr/local/bin/agent`,
  })
}

/**
 * Whoever can write a program, or exchange it in a directory on the way to it, decides what the
 * service does. Its path has no links any more: it is that of a process.
 *
 * @throws {ConfigError} naming what others can write, and who
 */
export async function requireTrustworthy(program: string, user: string): Promise<void> {
  const trusted = new Set([0])
  if (await exists(user)) trusted.add(Number(await runProgram('id', '-u', user)))
  for (let path = program; ; path = dirname(path)) {
    const writer = await findWriter(path, trusted)
    if (writer !== undefined) {
      throw new ConfigError(`${writer} can write ${path}, and so exchange the service's program`, {
        hint: `Call one that only root can write: install -m 0755 ${program} /usr/local/bin/agent`,
      })
    }
    if (path === '/') return
  }
}

/** A group without other members, as `staff` of older Debian's /usr/local, is nobody. */
async function findWriter(path: string, trusted: ReadonlySet<number>): Promise<string | undefined> {
  const { uid, gid, mode } = await stat(path)
  if (!trusted.has(uid)) return `User ${uid}`
  if ((mode & 0o002) > 0) return 'Everybody'
  if ((mode & 0o020) === 0 || gid === 0) return undefined
  const [name = '', , , members = ''] = (await databaseEntry('group', gid)).trim().split(':')
  const users = (await runProgram('getent', 'passwd')).split('\n').map((line) => line.split(':'))
  const isMember = users.some(
    ([, , id, group]) => Number(group) === gid && !trusted.has(Number(id)),
  )
  return members === '' && !isMember ? undefined : `Group ${name || gid}`
}

async function databaseEntry(database: string, id: number): Promise<string> {
  return (await succeeds('getent', database, `${id}`))
    ? await runProgram('getent', database, `${id}`)
    : '' // a number without a name
}

/** Users who were there before stay, in the groups they were in. Repeatable. @throws {ServiceError} */
export async function undoUsers(print: Print): Promise<void> {
  for (const user of await notesIn(MADE_USERS_PATH)) {
    if (!(await exists(user))) continue
    await runProgram('userdel', '--remove', user)
    print(`Removed: user ${user} with its home`)
  }
  for (const user of await notesIn(MADE_MEMBERS_PATH)) {
    if (!(await exists(user))) continue
    if (await succeeds('gpasswd', '--delete', user, GROUP)) {
      print(`Removed: user ${user} from the group ${GROUP}`)
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
