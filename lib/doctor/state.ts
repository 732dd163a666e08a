/**
 * The directory in which `agent serve` would keep its state.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ok, problem, type Verdict } from '../checks/check.ts'
import { examineSpace } from '../checks/space.ts'
import { requireOwn, requireOwnWay } from '../records/directory.ts'

/** @param candidates the first that can be written to is what the agent takes */
export async function examineState(candidates: readonly string[]): Promise<Verdict> {
  const reasons: string[] = []
  for (const path of candidates) {
    const place = nearestDirectory(path)
    try {
      requireOwnWay(path)
      if (place === path) requireOwn(path)
      await rmdir(await mkdtemp(join(place, '.agent-doctor-')))
    } catch (error) {
      reasons.push(`${path}: ${(error as Error).message}`)
      continue
    }
    const holder = await findHolder(path)
    if (holder !== undefined) return ok(`${path}, in use by the agent with process id ${holder}`)
    const verdict = await examineSpace(
      place,
      "the agent's state and the logs of jobs are kept there",
    )
    const note = place === path ? '' : `, where ${path} will be created`
    return { ...verdict, message: `${verdict.message}${note}` }
  }
  return problem(
    `no directory is writable: ${reasons.join('; ')}`,
    "Name one that the agent's user can write to, and nobody else, with --state-dir.",
  )
}

/** The directory itself, or the one it would be made in. */
function nearestDirectory(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestDirectory(dirname(path))
}

async function findHolder(path: string): Promise<string | undefined> {
  const pid = (await readFile(join(path, 'pid'), 'utf8').catch(() => '')).trim()
  return pid !== '' && existsSync(`/proc/${pid}`) ? pid : undefined
}
