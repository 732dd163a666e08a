/**
 * Which other users may have jobs on this host: the directories of those jobs are private.
 *
 * @module
 */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { ownUid } from '../private/ownership.ts'

const COMMANDS: ReadonlySet<string | undefined> = new Set(['run', 'serve', 'start'])

/** Ids of the other users who run agents, as far as their processes are visible. */
export function usersWithAgents(): number[] {
  const uids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(agentUid)
  return [...new Set(uids)].filter((uid) => uid !== ownUid())
}

function agentUid(pid: string): number[] {
  try {
    const [program = '', command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const isAgent = basename(program).startsWith('agent') && COMMANDS.has(command)
    return isAgent ? [statSync(`/proc/${pid}`).uid] : []
  } catch {
    return [] // ended since, or hidden (mount option hidepid)
  }
}
