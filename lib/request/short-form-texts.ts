/**
 * The texts of the short form as they are written: `VERSION: 1.10` is no number there, and the command
 * `false` no boolean.
 *
 * @module
 */

import { type Document, isMap, isScalar, isSeq, type Scalar } from 'yaml'
import { isRecord } from './shapes.ts'

/** What is text in a document: itself, or fields of it; `*` stands for every item and every key. */
type Texts = true | { readonly [key: string]: Texts }

const COMMAND = { '*': { run: true, name: true, directive: true, alias: true } } as const

const FILES = { '*': { path: true, text: true, file: true, content: true } } as const

const CONTAINER = { name: true, image: true, user: true, env: { '*': true }, files: FILES } as const

const TEXTS: Texts = {
  image: true,
  env_file: true,
  workdir: true,
  job_id: true,
  id: true,
  env: { '*': true },
  secrets: { '*': true },
  files: FILES,
  services: { '*': CONTAINER },
  compose: { containers: { '*': CONTAINER } },
  commands: COMMAND,
  always: COMMAND,
  on_pass: COMMAND,
  on_fail: COMMAND,
  epilogue_always_commands: COMMAND,
  epilogue_commands: COMMAND,
  epilogue_on_pass_commands: COMMAND,
  epilogue_on_fail_commands: COMMAND,
}

const SHORT_KEYS = [
  ...['image', 'services', 'env', 'secrets', 'env_file', 'workdir', 'timeout'],
  ...['always', 'on_pass', 'on_fail'],
]

/** Changes a document in the short form. */
export function keepTextsAsWritten(document: Document): void {
  keep(document.contents, TEXTS)
}

/** Whether anything in it is of the short form; in the long form the schema insists on quotes. */
export function isShortForm(document: unknown): boolean {
  if (!isRecord(document)) return false
  const { commands, files } = document
  if (SHORT_KEYS.some((key) => (document[key] ?? undefined) !== undefined)) return true
  return isRecord(files) || (Array.isArray(commands) && commands.some(isShortCommand))
}

function isShortCommand(command: unknown): boolean {
  return isRecord(command) ? 'run' in command || 'name' in command : command !== null
}

function keep(node: unknown, texts: Texts | undefined): void {
  if (texts === undefined) return
  if (isScalar(node)) keepScalar(node)
  if (texts === true) return
  if (isSeq(node)) for (const item of node.items) keep(item, texts['*'])
  if (!isMap(node)) return
  for (const { key, value } of node.items) keep(value, texts[String(key)] ?? texts['*'])
}

/** Not a null: that is nothing. */
function keepScalar(scalar: Scalar): void {
  if (typeof scalar.value !== 'number' && typeof scalar.value !== 'boolean') return
  if (scalar.source !== undefined) scalar.value = scalar.source
}
