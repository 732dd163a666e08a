/**
 * A command's result on standard output: complete, or an error.
 *
 * @module
 */

import { OutputError } from '../errors.ts'

/**
 * Resolves when the text has been written completely. A reader that has gone away is no error.
 *
 * @throws {OutputError} e.g. on a full disk
 */
export async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    process.stdout.write(text, resolve)
  })
  if (error == null || error.code === 'EPIPE') return
  throw new OutputError(`Standard output cannot be written to: ${error.message}`, {
    hint: 'Free some space there, or redirect it elsewhere.',
    cause: error,
  })
}
