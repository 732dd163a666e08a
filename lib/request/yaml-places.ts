/**
 * Where in a YAML file the fields are that have problems; and, for a field that should be text and is
 * not, that quotes are missing: `directive: false`.
 *
 * @module
 */

import { type Document, isCollection, isScalar, LineCounter, parseDocument } from 'yaml'
import type { Problem } from '../errors.ts'
import { type Keys, parsePath } from './paths.ts'
import { kindOf } from './shapes.ts'

/** Fields that are no text, with quotes neither. */
const NO_TEXT =
  /^expected (a list|an object|an amount|a time|an image beside|names|either|one of|none|the variable|[^,]*\bnumber\b)/

/**
 * @param text of the YAML document the problems are of, which has no mistake in its syntax
 * @param name of the file
 * @returns each with its place, in their order in the file
 */
export function placeProblems(
  problems: readonly Problem[],
  text: string,
  name: string,
): readonly Problem[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent' })
  return problems
    .map(({ path, message }) => {
      const keys = parsePath(path)
      const advice = NO_TEXT.test(message) ? '' : adviceOnQuotes(document.getIn(keys, true))
      return { path, message: `${message}${advice}`, start: startOf(document, keys) }
    })
    .sort((one, other) => one.start - other.start)
    .map(({ start, ...problem }) => {
      const { line, col } = lines.linePos(start)
      return { ...problem, place: `${name}:${line}:${col}` }
    })
}

/** @returns the offset of the field, or of what it is missing in */
function startOf(document: Document, keys: Keys): number {
  for (let length = keys.length; length > 0; length--) {
    const node = document.getIn(keys.slice(0, length), true)
    if ((isScalar(node) || isCollection(node)) && node.range) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

function adviceOnQuotes(node: unknown): string {
  if (!isScalar(node) && !isCollection(node)) return ''
  const isUnquoted = isScalar(node)
    ? node.type === 'PLAIN' && typeof node.value !== 'string'
    : node.flow === true
  if (!isUnquoted) return ''
  // Not the text itself: it may be a secret.
  const read =
    isScalar(node) && !node.source ? 'nothing as null' : `this as ${kindOf(node.toJSON())}`
  return ` (YAML reads ${read}: put it in quotes)`
}
