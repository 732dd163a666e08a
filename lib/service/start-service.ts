/**
 * Starts the service on its new files; where that fails, on the old ones again.
 *
 * @module
 */

import { ServiceError } from '../errors.ts'
import { type FileBackup, restoreFiles } from './backup.ts'
import { runProgram, succeeds } from './run-program.ts'
import { CONFIG_PATH, SERVICE } from './unit.ts'

const LINES = 15

/**
 * @param old of a service that runs; undefined when none does
 * @throws {ServiceError} with the end of the service's log when it does not start
 */
export async function startService(old: readonly FileBackup[] | undefined): Promise<void> {
  try {
    await reloadAndRestart()
  } catch (cause) {
    const log = `The end of its log:\n${(await readLog()).trimEnd()}`
    if (old !== undefined && (await startAgain(old))) {
      throw new ServiceError(`The service does not start like that: it is as before. ${log}`, {
        hint: 'Run agent install again with the missing settings.',
        cause,
      })
    }
    throw new ServiceError(`The service does not start. ${log}`, {
      hint: `Correct ${CONFIG_PATH} and run systemctl restart ${SERVICE}, or call agent install again.`,
      cause,
    })
  }
}

async function reloadAndRestart(): Promise<void> {
  await runProgram('systemctl', 'daemon-reload')
  await runProgram('systemctl', 'enable', '--quiet', SERVICE)
  await runProgram('systemctl', 'restart', SERVICE)
}

/** @returns false when it does not work that way either */
async function startAgain(old: readonly FileBackup[]): Promise<boolean> {
  await restoreFiles(old)
  await runProgram('systemctl', 'daemon-reload')
  return await succeeds('systemctl', 'restart', SERVICE)
}

async function readLog(): Promise<string> {
  // The journal may be behind: what the service said last is the reason.
  await succeeds('journalctl', '--sync')
  const words = ['-u', SERVICE, '-n', `${LINES}`, '-o', 'cat', '--no-pager']
  return await runProgram('journalctl', ...words)
}
