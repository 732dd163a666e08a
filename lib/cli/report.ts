/**
 * `agent report JOB`: one archive of what is known of a job, for whoever helps.
 *
 * @module
 */

import { resolve } from 'node:path'
import { defineCommand } from 'citty'
import { examineAll } from '../checks/check.ts'
import { hostEnvironment, parseDockerHost } from '../config.ts'
import { renderTable } from '../doctor/report.ts'
import { writeArchive } from '../report/archive.ts'
import { findJob } from '../report/find-job.ts'
import { collectParts } from '../report/parts.ts'
import { defaultStateDirectories } from '../settings/job-config.ts'
import { findChecks } from './doctor.ts'
import { print } from './print.ts'

const MAX_NAME_CHARACTERS = 64

export const reportCommand = defineCommand({
  meta: {
    name: 'report',
    description: `Write all that is known of a job into one archive, for whoever helps.

The job runs, or its log is still kept. In the archive are the end of its log, its request without the
values of variables and files, its containers, what agent doctor finds, and versions.

Examples:
  agent report build-42
  agent report --output build.tgz build-42`,
  },
  args: {
    job: {
      type: 'positional',
      description: 'Id of the job',
      required: true,
    },
    output: {
      type: 'string',
      valueHint: 'FILE',
      description: 'Where to write it (default: agent-report-JOB.tar.gz here)',
    },
    'state-dir': {
      type: 'string',
      valueHint: 'PATH',
      description:
        "The agent's directory (default: /var/lib/agent for root, else ~/.local/state/agent)",
    },
  },
  run: async ({ args }) => {
    const environment = hostEnvironment()
    const { 'state-dir': stateDirectory } = args
    const directories =
      stateDirectory === undefined
        ? defaultStateDirectories(environment, process.getuid?.() === 0)
        : [resolve(stateDirectory)]
    const job = await findJob(args.job, directories)
    const [parts, findings] = await Promise.all([
      collectParts(job, parseDockerHost(environment['DOCKER_HOST'])),
      findChecks({ 'state-dir': stateDirectory }).then((checks) => examineAll(checks)),
    ])
    const doctor = Buffer.from(renderTable(findings, { colours: false }))
    const id = args.job.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, MAX_NAME_CHARACTERS)
    const name = `agent-report-${id}`
    const path = args.output ?? `${name}.tar.gz`
    await writeArchive(path, name, [...parts, { name: 'doctor.txt', content: doctor }])
    await print(`${path}\n`)
    process.exit(0) // whatever a check still waits for
  },
})
