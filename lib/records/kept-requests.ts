/**
 * What was asked for, beside the log of each kept job: for `agent report`. Without values.
 *
 * @module
 */

import { readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unlessMissing } from '../files/missing.ts'
import { replaceFile } from '../files/replace-file.ts'
import { makeOwn } from './directory.ts'

/**
 * @param request plain data, for whoever may read the log
 * @throws {Error} of the file system
 */
export async function keepRequest(logPath: string, request: object): Promise<void> {
  const path = pathFor(logPath)
  await makeOwn(dirname(path))
  await replaceFile(path, `${JSON.stringify(request, undefined, 2)}\n`)
}

/**
 * @returns undefined when none was kept
 * @throws {Error} of the file system
 */
export async function readKeptRequest(logPath: string): Promise<Buffer | undefined> {
  return await unlessMissing(readFile(pathFor(logPath)))
}

/** Repeatable. @throws {Error} of the file system */
export async function removeKeptRequest(logPath: string): Promise<void> {
  await rm(pathFor(logPath), { force: true })
}

function pathFor(logPath: string): string {
  const name = `${basename(logPath, '.log')}.json`
  return join(dirname(dirname(logPath)), 'requests', name)
}
