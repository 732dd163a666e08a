/**
 * Explains, for a field that should be text and is not, that quotes are missing: `directive: false`.
 *
 * @module
 */

import { isCollection, isScalar, LineCounter, parseDocument } from 'yaml'
import type { Problem } from '../errors.ts'
import { kindOf } from './shapes.ts'

/** Fields that are no text, with quotes neither. */
const NO_TEXT = /^expected (a list|an object|an amount|[^,]*\bnumber\b)/

/** @param text of the YAML document the problems are of, which has no mistake in its syntax */
export function explainTypes(problems: readonly Problem[], text: string): readonly Problem[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent' })
  return problems.map((problem) => {
    const { path, message } = problem
    if (path === '' || NO_TEXT.test(message)) return problem
    const node = document.getIn(toKeys(path), true)
    if (!isScalar(node) && !isCollection(node)) return problem
    const isUnquoted = isScalar(node)
      ? node.type === 'PLAIN' && typeof node.value !== 'string'
      : node.flow === true
    if (!isUnquoted || !node.range) return problem
    const { line } = lines.linePos(node.range[0])
    // Not the text itself: it may be a secret.
    const read =
      isScalar(node) && !node.source ? 'nothing as null' : `this as ${kindOf(node.toJSON())}`
    return {
      path,
      message: `${message} (line ${line}: YAML reads ${read}, unless it is in quotes)`,
    }
  })
}

/** `compose.containers[0].image` → `compose`, `containers`, 0, `image` */
function toKeys(path: string): ReadonlyArray<string | number> {
  const keys = path.match(/[^.[\]]+/g) ?? []
  return keys.map((key) => (/^\d+$/.test(key) ? Number(key) : key))
}
