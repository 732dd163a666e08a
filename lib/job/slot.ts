/**
 * The place for the one job an agent runs at a time, as the server sees it.
 *
 * @module
 */

import type { JobLog } from '../events/job-log.ts'

/** What became of a job request. */
export type Submission =
  | { readonly kind: 'accepted' }
  /** This job is running, or has run and its log is still kept. */
  | { readonly kind: 'duplicate' }
  /** Another job runs. */
  | { readonly kind: 'busy' }
  /** No more jobs are accepted; `reason` is for the client. */
  | { readonly kind: 'refused'; readonly reason: string }

export interface JobSlot {
  readonly state: 'job-received' | 'waiting-for-job'

  /**
   * Of several simultaneous requests, exactly one is accepted.
   *
   * @param document as the client sent it, parsed from JSON
   * @throws {RequestError} naming every field that is wrong
   */
  submit(document: unknown): Promise<Submission>

  /** Stops the running job, if there is one. Repeatable. */
  stop(): void

  /** The log of the job with that id: the current one's, or one that is kept. */
  log(id: string): Promise<JobLog | undefined>

  /** The log of the current job, or else of the last one. Undefined until its file exists. */
  readonly currentLog: JobLog | undefined

  /** The id of the job that {@link currentLog} belongs to; defined whenever that is. */
  readonly currentId: string | undefined

  /** A reader that counts as the collection of the log has read it to its end (see lib/http/README.md). */
  collected(id: string): void
}
