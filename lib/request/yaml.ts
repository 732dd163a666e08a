/**
 * YAML text as a document, or what is wrong with it, with line, column and the text there.
 *
 * @module
 */

import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml'
import { type Problem, RequestError } from '../errors.ts'

/** Against documents that grow a thousandfold when their aliases are followed. */
const MAX_ALIASES = 1_000

/** One mistake is often found several times; the first few lines tell it. */
const MAX_PROBLEMS = 5

/** A line longer than a terminal is shown around the place of the error. */
const MAX_SHOWN_CHARACTERS = 100

/** Where the parser's own words leave a person guessing. */
const EXPLANATIONS: Partial<Readonly<Record<YAMLError['code'], string>>> = {
  BLOCK_AS_IMPLICIT_KEY:
    'expected no second ": " in this value: put it in quotes, or below a | on lines of its own',
  DUPLICATE_KEY: 'expected each key once, got this one again',
  MULTIPLE_DOCS: 'expected one document, got the beginning of another',
}

/**
 * @param name of the file, for messages
 * @throws {RequestError} with the first problems, at most one for a line
 */
export function parseYaml(text: string, name: string): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    logLevel: 'error',
  })
  const errors = [...document.errors, ...strayAliases(document)]
  if (errors.length > 0) throw new RequestError(toProblems(errors, text, name, lines))
  if (document.contents === null || (isScalar(document.contents) && !document.contents.source)) {
    throw new RequestError([{ path: name, message: 'expected a job, got an empty document' }])
  }
  keepModesAsWritten(document)
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    throw new RequestError([{ path: name, message: (error as Error).message }])
  }
}

type SyntaxProblem = Pick<YAMLError, 'code' | 'message' | 'pos'>

/** Aliases without an anchor, which the parser leaves to the moment when they are followed. */
function strayAliases(document: Document): SyntaxProblem[] {
  const found: SyntaxProblem[] = []
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      const [start = 0, end = start] = alias.range ?? []
      const message = `expected an anchor &${alias.source} before its alias`
      found.push({ code: 'BAD_ALIAS', message, pos: [start, end] })
    },
  })
  return found
}

/** `mode: 0644` without quotes reads as a number; what is meant is what is written. */
function keepModesAsWritten(document: Document): void {
  visit(document, {
    Pair(_, { key, value }) {
      if (!isScalar(key) || key.value !== 'mode' || !isScalar(value)) return
      if (typeof value.value === 'number' && value.source !== undefined) value.value = value.source
    },
  })
}

function toProblems(
  errors: readonly SyntaxProblem[],
  text: string,
  name: string,
  lines: LineCounter,
): Problem[] {
  const byLine = new Map<number, Problem>()
  for (const { code, message, pos } of errors) {
    const { line, col } = lines.linePos(pos[0])
    if (byLine.has(line) || byLine.size === MAX_PROBLEMS) continue
    const source = text.slice(lines.lineStarts[line - 1], lines.lineStarts[line])
    byLine.set(line, {
      path: `${name}:${line}:${col}`,
      message: `${EXPLANATIONS[code] ?? message}${quote(source, col)}`,
    })
  }
  return [...byLine.values()]
}

/** The line with a caret below the place. */
function quote(source: string, col: number): string {
  const line = source.trimEnd().replaceAll('\t', ' ')
  if (line === '') return ''
  const start = Math.max(0, col - MAX_SHOWN_CHARACTERS / 2)
  const shown = line.slice(start, start + MAX_SHOWN_CHARACTERS)
  return `\n  ${shown}\n  ${' '.repeat(col - 1 - start)}^`
}
