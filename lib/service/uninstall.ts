/**
 * Takes away what `agent install` has made, and what the service has kept. Repeatable.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { JUMP_POINT_PATH } from '../host/jump-point.ts'
import type { Layer } from '../settings/layers.ts'
import { Problems } from '../settings/problems.ts'
import { SERVE_SETTINGS } from '../settings/serve-settings.ts'
import { fileLayer } from '../settings/settings-file.ts'
import { requireSystemd } from './install.ts'
import { runProgram, succeeds } from './run-program.ts'
import {
  CONFIG_DIRECTORY,
  CONFIG_PATH,
  DROP_INS_PATH,
  SERVICE,
  STATE_DIRECTORY,
  UNIT_PATH,
} from './unit.ts'
import { undoUsers } from './users.ts'

/**
 * @param print one line a step
 * @throws {AgentError} at the first step that fails: call it again then
 */
export async function uninstallService(print: (line: string) => void): Promise<void> {
  requireSystemd('uninstall')
  if (!existsSync(UNIT_PATH) && !existsSync(CONFIG_DIRECTORY)) {
    print('There is no service to remove')
    return // what may be in the state directory is that of an agent started by hand
  }
  // One whose unit was removed by hand runs on.
  if (existsSync(UNIT_PATH) || (await succeeds('systemctl', 'is-active', '--quiet', SERVICE))) {
    const user = await userOfService()
    print('Stopping the service: a job that runs may go on to its end')
    await runProgram('systemctl', 'stop', SERVICE)
    await succeeds('systemctl', 'disable', '--quiet', SERVICE) // a complaint about its unit, if any
    await rm(UNIT_PATH, { force: true })
    await runProgram('systemctl', 'daemon-reload')
    await succeeds('systemctl', 'reset-failed', SERVICE) // unknown to systemd, unless it had failed
    await removeEmptyPlace(user)
    print(`Removed: ${UNIT_PATH}`)
  }
  await undoUsers(print)
  const others = await findOtherDirectories()
  // The settings last: as long as they are there, the removal can be repeated.
  for (const path of [DROP_INS_PATH, STATE_DIRECTORY, JUMP_POINT_PATH, CONFIG_DIRECTORY]) {
    if (!existsSync(path)) continue
    await rm(path, { recursive: true, force: true })
    print(`Removed: ${path}`)
  }
  for (const path of others) print(`Left: ${path}, a directory of your choice`)
}

/** Where the settings have put what the service keeps, away from its own directory. */
async function findOtherDirectories(): Promise<string[]> {
  const settings = await fileLayer(SERVE_SETTINGS, CONFIG_PATH, new Problems()).catch(
    (): Layer => new Map(),
  )
  return ['state-dir', 'cache-dir']
    .map((name) => String(settings.get(name)?.text ?? ''))
    .filter((path) => existsSync(path) && !`${path}/`.startsWith(`${STATE_DIRECTORY}/`))
}

async function userOfService(): Promise<string> {
  const user = await runProgram('systemctl', 'show', '--property', 'User', '--value', SERVICE)
  return user.trim() || 'root'
}

/**
 * Where the service's jobs were written down, unless the user's own agents keep something there. In
 * the user's name: in their home, root could be led elsewhere.
 */
async function removeEmptyPlace(user: string): Promise<void> {
  if (user === 'root') return // that one is the service's own directory
  const [, , , , , home = ''] = (await runProgram('getent', 'passwd', user)).split(':')
  const script =
    'cd "$1/.local/state/agent" && rm -f turn && rmdir running && cd "$1" && rmdir -p .local/state/agent'
  await succeeds('runuser', '-u', user, '--', 'sh', '-c', script, 'sh', home)
}
