/**
 * A file that at most one living process holds.
 *
 * @module
 */

const SQLITE_BUSY = 5

/** Loads what locks are made of, for those who have nothing to do at the moment but will need one. */
export function prepareLocks(): void {
  import('node:sqlite').catch(() => undefined) // told by whoever takes one
}

/**
 * Takes the lock, or finds that another process has it.
 *
 * SQLite is the one part of Node that locks files in the kernel (fcntl). The kernel gives such a
 * lock back when its process ends, in whatever way; it is not inherited by what a job leaves
 * behind; and it holds between containers that share a volume. Nothing is ever stored in the file.
 *
 * @returns how to give it back; undefined when another process holds it
 * @throws {Error} of SQLite when the file cannot be made, or its file system cannot lock
 */
export async function lockFile(path: string): Promise<(() => void) | undefined> {
  const { DatabaseSync } = await import('node:sqlite') // 3 ms that not every start needs
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return () => database.close()
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
}
