/**
 * Files of this host that the settings give to every job.
 *
 * @module
 */

import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ok, problem, type Verdict, warning } from '../checks/check.ts'
import type { ServeConfig } from '../settings/serve-config.ts'

/** @returns undefined where the settings name none */
export async function examineJobFiles(
  { job }: Pick<ServeConfig, 'job'>,
  workingDirectory: string,
): Promise<Verdict | undefined> {
  const { preJobHookPath, postJobHookPath, hostFiles, failOnMissingFiles } = job
  const hooks = [preJobHookPath, postJobHookPath].filter((path) => path !== undefined)
  const sources = hostFiles.map(({ source }) => source)
  if (hooks.length + sources.length === 0) return undefined

  const badHooks = await findMissing(hooks.map((path) => resolve(workingDirectory, path)))
  if (badHooks !== undefined) {
    return problem(
      `a hook for every job cannot be read: ${badHooks}`,
      'Create the file, or remove the setting.',
    )
  }
  const badFiles = await findMissing(sources)
  if (badFiles === undefined) return ok('hooks and files for jobs can be read')
  const remedy = 'Create the file, or remove it from --files.'
  if (failOnMissingFiles) return problem(`no container job will start: ${badFiles}`, remedy)
  return warning(`container jobs will run without a file: ${badFiles}`, remedy)
}

/** @returns what the system says of the first that cannot be read */
async function findMissing(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await access(path, constants.R_OK)
    } catch (error) {
      return (error as Error).message
    }
  }
  return undefined
}
