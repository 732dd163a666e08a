/** Ids of jobs by which what they make is told from what other test runs make at the same time. */

import { MARK } from '../runner/survivors.ts'

let count = 0

/** Another one each time. */
export function createJobId(): string {
  return `${process.env[MARK]}-${++count}`
}

/** Whether a job of that id is one of this test file's. */
export function isOwnJob(id: string): boolean {
  return id.startsWith(`${process.env[MARK]}-`)
}
