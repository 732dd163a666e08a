/**
 * Makes the agent a systemd service. Every step may be repeated: a second call changes what is
 * given again and keeps the rest.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError } from '../errors.ts'
import { makeDirectory } from '../files/make-directory.ts'
import { type Owner, replaceFile } from '../files/replace-file.ts'
import { changeSettings } from '../settings/change-settings.ts'
import { backUpFiles } from './backup.ts'
import { hasSystemd, runProgram, succeeds } from './run-program.ts'
import { startService } from './start-service.ts'
import {
  CONFIG_DIRECTORY,
  CONFIG_PATH,
  commandIn,
  renderUnit,
  SECRET_PATH,
  SERVICE,
  type ServiceCommand,
  TOKEN_PATH,
  UNIT_PATH,
  type UnitOptions,
  userIn,
} from './unit.ts'
import { prepareUser, requireRunnable, requireTrustworthy } from './users.ts'

export interface InstallOptions extends UnitOptions {
  /** The secret of `agent serve`, the token of `agent start`. Undefined: the one of an earlier installation. */
  readonly secret: string | undefined
  /** A file to begin with, as a rule the one of an earlier installation. */
  readonly configFile: string | undefined
  /** By name, as texts: what is given this time. */
  readonly settings: Readonly<Record<string, string>>
  /** Made for the service's user, those of the settings that are not there. */
  readonly directories: readonly string[]
  /** Of settings that are given nowhere. */
  readonly defaults: Readonly<Record<string, string>>
  /** One line a step, for the person in front. */
  readonly print: (line: string) => void
}

/**
 * Where {@link requireSystemd} has no objection.
 *
 * @throws {AgentError} at the first step that fails; what was done until then stays, but that a
 *   service that runs and does not start any more is as it was
 */
export async function installService(options: InstallOptions): Promise<void> {
  const { user, print } = options
  const unit = renderUnit(options)
  await requireTrustworthy(options.agentPath, user)
  await prepareUser(user, print)
  await requireRunnable(options.agentPath, user)
  const owner = await ownerOf(user)
  const isRunning = await succeeds('systemctl', 'is-active', '--quiet', SERVICE)
  const files = [CONFIG_PATH, SECRET_PATH, TOKEN_PATH, UNIT_PATH]
  const old = isRunning ? await backUpFiles(files) : undefined
  await makeDirectory(CONFIG_DIRECTORY, 0o755)
  await writeSecret(options, owner)
  const { configFile, settings, defaults } = options
  const before = configFile === undefined ? '' : await readFile(configFile, 'utf8')
  await replaceFile(CONFIG_PATH, await changeSettings(before, settings, defaults), { owner })
  print(`Settings: ${CONFIG_PATH}`)
  await makeDirectories(options, owner)
  await replaceFile(UNIT_PATH, unit, { mode: 0o644 })
  print(`Unit: ${UNIT_PATH}`)
  if (isRunning) print('Restarting the service: a job that runs may go on to its end')
  await startService(old)
}

/** Of the service that is installed, if one is. */
export async function findInstalled(): Promise<{
  readonly user: string | undefined
  readonly command: ServiceCommand | undefined
}> {
  const unit = await readFile(UNIT_PATH, 'utf8').catch(() => '') // none is
  return { user: userIn(unit), command: commandIn(unit) }
}

/** @throws {ConfigError} where there is nothing to install into, or nobody who may */
export function requireSystemd(command: string): void {
  if (process.getuid?.() !== 0) {
    throw new ConfigError(`agent ${command} changes the system, which needs root`, {
      hint: `Run sudo agent ${command}; agent install --dry-run shows what it would write.`,
    })
  }
  if (!hasSystemd()) {
    throw new ConfigError('This machine is not run by systemd', {
      hint: 'Have its own init system run agent serve or agent start, with --config-file FILE.',
    })
  }
}

async function ownerOf(user: string): Promise<Owner> {
  const [uid, gid] = await Promise.all([runProgram('id', '-u', user), runProgram('id', '-g', user)])
  return { uid: Number(uid), gid: Number(gid) }
}

/** A secret for clients can be made up; a token is the control plane's to give. */
async function writeSecret(
  { command, secret, print }: InstallOptions,
  owner: Owner,
): Promise<void> {
  const path = command === 'serve' ? SECRET_PATH : TOKEN_PATH
  if (secret === undefined && existsSync(path)) {
    await chown(path, owner.uid, owner.gid)
    return
  }
  const text = secret ?? randomBytes(32).toString('hex')
  await replaceFile(path, `${text}\n`, { owner })
  const title = command === 'serve' ? 'Secret' : 'Token'
  print(`${title}: ${path}${secret === undefined ? ', new' : ''}`)
}

async function makeDirectories(
  { directories, print }: InstallOptions,
  owner: Owner,
): Promise<void> {
  for (const path of directories) {
    await makeDirectory(dirname(path), 0o755)
    if ((await makeDirectory(path, 0o700)) === undefined) continue // it is there, as somebody wants it
    await chown(path, owner.uid, owner.gid)
    print(`Directory: ${path}, new`)
  }
}
