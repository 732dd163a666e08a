/**
 * `agent attach [JOB]`: a shell in a job that runs on this machine.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import { defineCommand } from 'citty'
import { usersWithAgents } from '../access/other-users.ts'
import { findRegisteredJobs, type RegisteredJob } from '../access/registered-jobs.ts'
import { JobNotRunningError } from '../errors.ts'
import { attachToJob } from './attach-session.ts'

export const attachCommand = defineCommand({
  meta: {
    name: 'attach',
    description: `Open a shell in a running job on this machine.

Without JOB: the running job, or a list of them if there are several.
The exit code is that of the shell or the command.

Examples:
  agent attach
  agent attach build-42 -- printenv CI
  agent attach build-42 --container db`,
  },
  args: {
    job: {
      type: 'positional',
      description: 'Id of the job or the beginning of it, or the process id of its agent',
      required: false,
    },
    container: {
      type: 'string',
      valueHint: 'NAME',
      description: 'A service of the job, instead of the container in which its commands run',
    },
    command: {
      type: 'positional',
      description: 'Command to run instead of a login shell',
      required: false,
    },
  },
  run: async ({ args, data }) => {
    const { directory } = chooseJob(await findRegisteredJobs(), args.job, await describeOthers())
    process.exit(await attachToJob(directory, data as readonly string[], args.container))
  },
})

/**
 * @param others hint about jobs of other users, for when this user has none
 * @throws {JobNotRunningError} when there is none, or more than one
 */
export function chooseJob(
  jobs: readonly RegisteredJob[],
  id: string | undefined,
  others: string,
): RegisteredJob {
  const exact = jobs.filter((job) => job.id === id || String(job.agentPid) === id)
  const matching = exact.length > 0 ? exact : jobs.filter((job) => job.id.startsWith(id ?? ''))
  const [job, ...more] = matching
  if (job === undefined) {
    const what =
      id === undefined ? 'This user has no running job' : `This user has no running job "${id}"`
    throw new JobNotRunningError(`${what} on this machine${describe(jobs)}`, {
      hint:
        jobs.length > 0
          ? 'Name one of these.'
          : others || 'Start one with agent run or agent serve.',
    })
  }
  if (more.length === 0) return job
  throw new JobNotRunningError(`Several jobs run${describe(matching)}`, {
    hint: 'Name one by its id, or by the process id of its agent: agent attach JOB.',
  })
}

function describe(jobs: readonly RegisteredJob[]): string {
  const ids = jobs.map(({ id }) => JSON.stringify(id).slice(1, -1)) // an id may hold anything
  const width = Math.max(...ids.map((id) => id.length))
  return jobs
    .map(({ executor, since, agentPid }, index) => {
      const id = ids[index]?.padEnd(width)
      return `\n  ${id}  ${executor}, since ${since}, process ${agentPid}`
    })
    .join('')
}

/** A service usually has its own user. */
async function describeOthers(): Promise<string> {
  const others = usersWithAgents()
  if (others.length === 0) return ''
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '') // then users have no names
  const names = others.map((uid) => nameOf(uid, passwd))
  const user = names.length === 1 ? `User ${names[0]}` : `Users ${names.join(', ')}`
  return `${user} may have some: sudo -u '${names[0]}' agent attach.`
}

/** In the form sudo accepts; users of a directory service are not in the file. */
function nameOf(uid: number, passwd: string): string {
  return new RegExp(`^([^:]+):[^:]*:${uid}:`, 'm').exec(passwd)?.[1] ?? `#${uid}`
}
