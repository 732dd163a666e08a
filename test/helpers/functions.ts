/**
 * The functions of a source file, found by its layout: the formatter puts the last brace of each
 * where the first word stands.
 */

export interface FoundFunction {
  readonly name: string
  readonly lines: number
  readonly parameters: number
}

/** Declarations, methods, and arrow functions that have a name; group 1 = indentation, 2 = name. */
const BEGINNINGS: readonly RegExp[] = [
  /^( *)(?:export )?(?:async )?function\*? (\w+)/gm,
  /^( {2})(?:(?:static|override|private|async|get|set) |\*)*(#?\w+|\[Symbol\.\w+\])(?=[<(])/gm,
  /^( *)(?:export )?(?:const|readonly) (#?\w+)(?:: [^=\n]+)? = (?:async )?(?=\()/gm,
]

const STATEMENTS = new Set(['if', 'for', 'while', 'switch', 'catch', 'super', 'await', 'return'])

/** @param text without comments, else their lines count as well */
export function findFunctions(text: string): FoundFunction[] {
  return BEGINNINGS.flatMap((pattern) =>
    [...text.matchAll(pattern)].flatMap((match) => {
      const [, indent = '', name = ''] = match
      if (STATEMENTS.has(name)) return []
      const rest = text.slice(match.index)
      const head = parametersOf(rest)
      // A signature without a body, a call, or an expression in one line.
      if (head === undefined || !/^[^\n;]*(?:=>|\S) ?\{\n/.test(rest.slice(head.end))) return []
      const body = new RegExp(`[\\s\\S]*?^${indent}\\}`, 'm').exec(rest)?.[0] ?? ''
      return [{ name, lines: body.split('\n').length, parameters: head.count }]
    }),
  )
}

/** Of the first list in parentheses: how many there are at its top, and where it ends. */
function parametersOf(text: string): { count: number; end: number } | undefined {
  const start = text.indexOf('(')
  let depth = 0
  let top = ''
  for (let at = start; at >= 0 && at < text.length; at++) {
    const sign = text[at] ?? ''
    if ('([{<'.includes(sign)) depth++
    if (depth === 1) top += sign
    if (')]}>'.includes(sign) && text.slice(at - 1, at + 1) !== '=>') depth--
    if (depth > 0) continue
    const parameters = top.slice(1, -1).split(',')
    return { count: parameters.filter((it) => it.trim() !== '').length, end: at + 1 }
  }
  return undefined
}
