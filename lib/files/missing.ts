/**
 * Files that need not exist.
 *
 * @module
 */

/** Whether a call of the file system failed because there is nothing under that name. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** @returns undefined when there is nothing under that name; every other failure is thrown */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
