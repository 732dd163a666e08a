/**
 * YAML text as a document, or what is wrong with it, with line, column and the text there.
 *
 * @module
 */

import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml'
import { type Problem, RequestError } from '../errors.ts'
import { isShortForm, keepTextsAsWritten } from './short-form-texts.ts'

/** Against documents that grow a thousandfold when their aliases are followed. */
const MAX_ALIASES = 1_000

/** One mistake is often found several times; the first few lines tell it. */
const MAX_PROBLEMS = 5

/** A line longer than a terminal is shown around the place of the error. */
const MAX_SHOWN_CHARACTERS = 100

/** Where the parser's own message leaves a person guessing. */
const EXPLANATIONS: Partial<Readonly<Record<YAMLError['code'], string>>> = {
  BLOCK_AS_IMPLICIT_KEY:
    'expected no second ": " in this value: put it in quotes, or below a | on lines of its own',
  DUPLICATE_KEY: 'expected each key once, got this one again',
  MULTIPLE_DOCS: 'expected one document, got the beginning of another',
}

const AFTER_QUOTE =
  "expected nothing behind the closing quote: within '…' a ' is written as '', within \"…\" a \" as \\\""

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
  const errors = [
    ...document.errors.map((error) => explainQuote(error, document, lines)),
    ...strayAliases(document),
    ...strayTags(document, text),
  ]
  if (errors.length > 0) throw new RequestError(toProblems(errors, text, name, lines))
  if (document.contents === null || (isScalar(document.contents) && !document.contents.source)) {
    throw new RequestError([{ path: name, message: 'expected a job, got an empty document' }])
  }
  keepModesAsWritten(document)
  try {
    const read: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    if (!isShortForm(read)) return read
    keepTextsAsWritten(document)
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

const AT_QUOTES: ReadonlySet<string> = new Set([
  'MISSING_CHAR',
  'MULTILINE_IMPLICIT_KEY',
  'UNEXPECTED_TOKEN',
])

/** The parser notices at its end that a quote was never closed, which may be far from where it opens. */
function explainQuote(error: YAMLError, document: Document, lines: LineCounter): SyntaxProblem {
  const { code, pos } = error
  if (!AT_QUOTES.has(code)) return error
  const quoted = findQuotedText(document, pos[0])
  if (quoted === undefined) return error
  const isOnOneLine = lines.linePos(quoted).line === lines.linePos(pos[0]).line
  if (code === 'UNEXPECTED_TOKEN' && isOnOneLine) return { code, message: AFTER_QUOTE, pos }
  return { code, message: 'expected a quote that closes this one', pos: [quoted, quoted + 1] }
}

/** @returns where the quoted text begins that ends at the place, or begins there */
function findQuotedText(document: Document, place: number): number | undefined {
  let found: number | undefined
  visit(document, {
    Scalar(_, { type, range }) {
      if (type?.startsWith('QUOTE_') && range?.slice(0, 2).includes(place)) found = range[0]
    },
  })
  return found
}

/** `! grep x` loses its `!` in silence, `!x` means nothing: both are commands without their quotes. */
function strayTags(document: Document, text: string): SyntaxProblem[] {
  const found: SyntaxProblem[] = []
  visit(document, {
    Node(_, { tag, range }) {
      if (tag === undefined || tag.startsWith('tag:') || !range) return
      const start = Math.max(0, text.lastIndexOf('!', range[0]))
      const message = 'expected no tag: put a text that begins with ! in quotes'
      found.push({ code: 'TAG_RESOLVE_FAILED', message, pos: [start, start + 1] })
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
