/**
 * What is put into a job's private directory, on the host and in containers alike, so that its
 * scripts find `checkout`, `cache`, `retry`, `checksum` and `mask` (see lib/toolbox/README.md). Pure.
 *
 * @module
 */

import { quoteWord } from '../shell/quote.ts'
import { CHECKOUT_PROGRAM, checkoutFunction } from './checkout.ts'
import { cacheProgram, checksumProgram, maskProgram, RETRY_PROGRAM } from './programs.ts'

export interface ToolboxFile {
  /** Below the toolbox's directory; outermost directories come first. */
  readonly name: string
  /** Absent = a directory. */
  readonly content?: Uint8Array
  readonly mode: number
}

/** Where it is not, and where files cannot be run, each program gets a function that starts it. */
const BASH = '/bin/bash'

const PROGRAMS = ['cache', 'checksum', 'mask', 'retry']

/** @param directory of the toolbox: absolute */
export function toolboxFiles(directory: string): ToolboxFile[] {
  // -p: exported functions, BASH_ENV and SHELLOPTS of the job must not change how these work.
  // `retry` alone needs the functions: they may be what it is to try again.
  const program = (name: string, text: string, options = ' -p'): ToolboxFile => ({
    name,
    content: Buffer.from(`#!${BASH}${options}\n${text}`),
    mode: 0o755,
  })
  return [
    { name: 'bin', mode: 0o755 },
    { name: 'replies', mode: 0o755 },
    program('bin/cache', cacheProgram(directory)),
    program('bin/checksum', checksumProgram(directory)),
    program('bin/mask', maskProgram(directory)),
    program('bin/retry', RETRY_PROGRAM, ''),
    program('checkout', CHECKOUT_PROGRAM),
    { name: 'setup', content: Buffer.from(setupScript(directory)), mode: 0o644 },
  ]
}

/** A line for the boot script. */
export function toolboxPrelude(directory: string): string {
  return `builtin . ${quoteWord(`${directory}/setup`)} >/dev/null 2>&1`
}

/** After a job's variables were exported: its own PATH comes second. A line of bash, or none. */
export function pathAfter(variables: readonly { name: string }[], directory: string): string {
  return variables.some(({ name }) => name === 'PATH') ? pathLine(directory) : ''
}

function pathLine(directory: string): string {
  return `\\builtin export PATH=${quoteWord(`${directory}/bin`)}"\${PATH:+:$PATH}"\n`
}

/**
 * Defined with the word `function`: a plain `cache()` would be read as an alias of that name.
 *
 * The programs get functions too, for directives that have changed the PATH.
 */
function setupScript(directory: string): string {
  const program = (name: string) => quoteWord(`${directory}/bin/${name}`)
  const functions = (starter: string) =>
    PROGRAMS.map((name) => `  function ${name} { ${starter}${program(name)} "$@"; }`).join('\n')
  return `${pathLine(directory)}${checkoutFunction(`${directory}/checkout`)}
if [[ -x ${BASH} && -x ${program('cache')} ]]; then
${functions('')}
else
${functions('"$BASH" ')}
  builtin export -f ${PROGRAMS.join(' ')}
fi
`
}
