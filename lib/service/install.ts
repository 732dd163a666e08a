/**
 * Makes the agent a systemd service. Every step may be repeated: a second call changes what is
 * given anew and keeps the rest.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError, ServiceError } from '../errors.ts'
import { makeDirectory } from '../make-directory.ts'
import { changeSettings } from '../settings/change-settings.ts'
import { hasSystemd, runProgram, succeeds } from './system.ts'
import {
  CONFIG_DIRECTORY,
  CONFIG_PATH,
  renderUnit,
  SECRET_PATH,
  SERVICE,
  UNIT_PATH,
  type UnitOptions,
  userIn,
} from './unit.ts'
import { prepareUser, requireRunnable } from './users.ts'

export interface InstallOptions extends UnitOptions {
  /** Undefined: the one of an earlier installation, or a new one. */
  readonly secret: string | undefined
  /** A file to begin with, instead of the one of an earlier installation. */
  readonly configFile: string | undefined
  /** By name, as texts: what is given anew. */
  readonly settings: Readonly<Record<string, string>>
  /** Made for the service's user, those of the settings that are not there. */
  readonly directories: readonly string[]
  /** Of settings that are given nowhere. */
  readonly defaults: Readonly<Record<string, string>>
  /** One line a step, for the person in front. */
  readonly say: (line: string) => void
}

/** Secret even from members of the user's group. */
const PRIVATE = 0o600

/** @throws {AgentError} at the first step that fails; what was done until then stays */
export async function installService(options: InstallOptions): Promise<void> {
  const { user, say } = options
  requireSystemd('install')
  await prepareUser(user, say)
  await requireRunnable(options.agentPath, user)
  const owner = await ownerOf(user)
  await makeDirectory(CONFIG_DIRECTORY, 0o755)
  await writeSecret(options, owner)
  const base = options.configFile ?? CONFIG_PATH
  const before = await readFile(base, 'utf8').catch(() => '') // none yet
  const { settings, defaults } = options
  await writePrivate(CONFIG_PATH, await changeSettings(before, settings, defaults), owner)
  say(`Settings: ${CONFIG_PATH}`)
  await makeDirectories(options, owner)
  await replaceFile(UNIT_PATH, renderUnit(options), 0o644)
  say(`Unit: ${UNIT_PATH}`)
  await runProgram('systemctl', 'daemon-reload')
  await runProgram('systemctl', 'enable', '--quiet', SERVICE)
  if (await succeeds('systemctl', 'is-active', '--quiet', SERVICE)) {
    say('Restarting the service: a job that runs may go on to its end')
  }
  await startService()
}

/** Of the service that is installed, if one is. */
export async function findInstalledUser(): Promise<string | undefined> {
  return userIn(await readFile(UNIT_PATH, 'utf8').catch(() => '')) // none is
}

/** @throws {ConfigError} where there is nothing to install into, or nobody who may */
export function requireSystemd(command: string): void {
  if (process.getuid?.() !== 0) {
    throw new ConfigError(`agent ${command} changes the system, which needs root`, {
      hint: `Call it as sudo agent ${command}; agent install --dry-run shows what it would write.`,
    })
  }
  if (!hasSystemd()) {
    throw new ConfigError('This machine is not run by systemd', {
      hint: 'Let its own init system run: agent serve --config-file FILE.',
    })
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

async function ownerOf(user: string): Promise<Owner> {
  const [uid, gid] = await Promise.all([runProgram('id', '-u', user), runProgram('id', '-g', user)])
  return { uid: Number(uid), gid: Number(gid) }
}

async function writeSecret({ secret, say }: InstallOptions, owner: Owner): Promise<void> {
  if (secret === undefined && existsSync(SECRET_PATH)) {
    await chown(SECRET_PATH, owner.uid, owner.gid)
    return
  }
  await writePrivate(SECRET_PATH, `${secret ?? randomBytes(32).toString('hex')}\n`, owner)
  say(`Secret: ${SECRET_PATH}${secret === undefined ? ', new' : ''}`)
}

async function makeDirectories({ directories, say }: InstallOptions, owner: Owner): Promise<void> {
  for (const path of directories) {
    await makeDirectory(dirname(path), 0o755)
    if ((await makeDirectory(path, 0o700)) === undefined) continue // it is there, as somebody wants it
    await chown(path, owner.uid, owner.gid)
    say(`Directory: ${path}, new`)
  }
}

async function writePrivate(path: string, text: string, { uid, gid }: Owner): Promise<void> {
  await replaceFile(path, text, PRIVATE)
  await chown(path, uid, gid)
}

/** By rename, so that it is never there half. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`
  await writeFile(temporary, text, { mode })
  await chmod(temporary, mode)
  await rename(temporary, path)
}

async function startService(): Promise<void> {
  try {
    await runProgram('systemctl', 'restart', SERVICE)
  } catch (cause) {
    const said = await runProgram(
      'journalctl',
      '-u',
      SERVICE,
      '-n',
      '15',
      '-o',
      'cat',
      '--no-pager',
    )
    throw new ServiceError(`The service does not start. The end of its log:\n${said.trimEnd()}`, {
      hint: `Correct ${CONFIG_PATH} and run systemctl restart ${SERVICE}, or call agent install again.`,
      cause,
    })
  }
}
