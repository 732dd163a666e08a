/**
 * `agent run --print-request`: the long form of a job file.
 *
 * @module
 */

import { findSecrets } from '../job/job-secrets.ts'
import type { Logger } from '../log.ts'
import type { JobConfig } from '../settings/job-config.ts'
import type { PlannedJob } from './local-job.ts'
import { print } from './print.ts'

const HIDDEN = '[secret]'

/** Anything that the long form has no field for is reported on standard error. */
export async function printRequest(job: PlannedJob, config: JobConfig, log: Logger): Promise<void> {
  for (const { source, target } of job.hostFiles) {
    log.info(`The long form has no workdir: run it with --files ${source}:${target}`)
  }
  await print(formatRequest(job, config))
}

/** @returns JSON in which everything is masked that a log would not show, or that is marked as secret */
export function formatRequest({ request, document }: PlannedJob, config: JobConfig): string {
  const { masking } = findSecrets(request, config)
  return masking.mask(`${JSON.stringify(document, hideMarked, 2)}\n`)
}

/** A replacer for JSON.stringify, which also hides secrets that are too short to be masked in a text. */
function hideMarked(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (!('secret' in value) || value.secret !== true) return value
  return {
    ...value,
    ...('value' in value && { value: HIDDEN }),
    ...('content' in value && { content: HIDDEN }),
  }
}
