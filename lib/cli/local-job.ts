/**
 * What `agent run` makes of a job of this host that only this host can do: its working directory.
 *
 * @module
 */

import type { LocalJob } from '../request/job-file.ts'
import type { JobRequest } from '../request/job-request.ts'
import { parseJobRequest } from '../request/parse-job-request.ts'
import type { HostFile } from '../settings/job-config.ts'
import { quoteWord } from '../shell/quote.ts'

/** Where the main container has the working directory: in the way of nothing an image has. */
export const WORKDIR_IN_CONTAINER = '/workdir'

export interface PlannedJob {
  readonly request: JobRequest
  /** In the long form, as the request was made from it. */
  readonly document: Readonly<Record<string, unknown>>
  /** To be mounted, beside those of `--files`. */
  readonly hostFiles: readonly HostFile[]
}

/** The first command enters the working directory, which a container has by a mount. */
export function planLocalJob({ request, document, workdir }: LocalJob): PlannedJob {
  if (workdir === undefined) return { request, document, hostFiles: [] }
  const isInContainer = request.compose !== undefined
  const directory = isInContainer ? WORKDIR_IN_CONTAINER : workdir
  const enter = { alias: `Entering ${directory}`, directive: `cd ${quoteWord(directory)}` }
  const planned = { ...document, commands: [enter, ...request.commands] }
  return {
    document: planned,
    request: {
      ...parseJobRequest(planned, { defaultId: request.id }),
      unknownKeys: request.unknownKeys,
    },
    hostFiles: isInContainer ? [{ source: workdir, target: directory }] : [],
  }
}
