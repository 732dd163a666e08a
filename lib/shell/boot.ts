/**
 * The script that turns a fresh login bash into a job's shell.
 *
 * bash runs it as its script file, so it never comes to a prompt: `PS1`, `PROMPT_COMMAND` and
 * history never act, and yet the shell is an interactive one (aliases, messages without line
 * numbers). It is straight-line code, the same step repeated as often as the job may need it: ask for
 * a directive, source its file at the top level, report how it ended.
 *
 * Nothing of it is visible in the job's shell, and nothing the job does to its shell affects it:
 * - No loop: `break` and `continue` in a directive cannot act on one of the agent's.
 * - No name: no function, no variable. The agent itself keeps the state between steps: each end mark
 *   reports it, and the agent types what a step needs.
 * - On a host the shell waits by sourcing its gate, a terminal of the agent's: it starts no process and keeps no
 *   descriptor. In a container it has nothing but its own terminal, and asks there.
 * - That asking is done in a command substitution. Its variable lives in a subshell, under a name
 *   that nobody can have made readonly; what it starts leaves no job entry. Its exit code is `$?` for the
 *   directive.
 * - `read -N` does not split by `IFS`, and asks the terminal itself for what it needs, whatever mode
 *   it is in; its prompt, which is the agent's leave to type, comes after that.
 * - All steps are one compound command: parsed before there are aliases of the job, and before
 *   `set -v` would show them. A substitution is parsed when it is run: it drops the aliases.
 * - No `[[` in what is parsed later: bash cannot parse another one once it has failed to parse a regex in one.
 * - `!`, `if` and `&&` keep the ERR trap and `set -e` from acting a second time on a status; they do act in the
 *   file. PIPESTATUS has the status before the inversion.
 * - `set -x`, `set -v` and the traps for DEBUG, RETURN and CHLD end with the directive and come back with the next
 *   one's first line: see `carry.ts`.
 *
 * @module
 */

import { asFormat, LINE, type MarkKind, markHead, markTail, stepToken } from './marks.ts'
import { quoteWord } from './quote.ts'
import type { Gate } from './terminal.ts'
import { unattendedDefaults } from './unattended.ts'

/** Wide, so that tables and progress bars in a log do not wrap; the height hardly matters. */
const SIZE = 'cols 200 rows 50'

/** Reading gives end-of-file at once; output is passed on unchanged. */
export const MODE = '-icanon -echo -opost min 0 time 0'

/** More often than the agent answers; a damaged shell may not even be able to wait. */
const MAX_QUESTIONS = 50

/** Of a positional parameter, since no job can have set it. An error in a value discards the whole command. */
const GIVE_UP = `\\builtin : "\${99999999?the job has damaged its shell, or an error in a value has ended it}"`

/** So that the shell's stack does not grow with the number of steps. */
const GROUP = 32

/** The file of the next directive, in the directory of a shell that has a gate. */
export const DIRECTIVE_FILE = 'directive'

/** The most steps that the agent itself needs in a job's shell: exports, hooks. */
export const OWN_STEPS = 16

export interface BootOptions {
  /** Unguessable; every mark of this shell is made with it. */
  readonly token: string
  /** Where the directives' files usually are. */
  readonly directory: string
  /** The highest number of directives. */
  readonly steps: number
  /** A shell with a gate does not ask through its terminal. */
  readonly gate?: Pick<Gate, 'inherited' | 'path'> | undefined
  /** Lines of bash, run once the login scripts are done. */
  readonly prelude?: string
}

/** Before the script's path. A history would have the script's own lines, and bash keep them at its end. */
export const SHELL_ARGUMENTS: readonly string[] = ['--login', '-i', '+o', 'history']

/** @returns the text of the file given to bash after {@link SHELL_ARGUMENTS} */
export function bootScript(options: BootOptions): string {
  const { token, directory, steps, gate, prelude = '' } = options
  const lines = Array.from({ length: steps }, (_, index) => {
    const own = stepToken(token, index)
    return (gate === undefined ? askingStep(own, directory) : gatedStep(gate, directory)) + end(own)
  })
  return `${closing(gate)}${setUp(token, prelude)}${grouped(lines)}${GIVE_UP}\n`
}

/**
 * `stty` runs as a program of the shell's own, so that bash knows the mode: it sets that again after a
 * program that a signal has ended. `jobs` makes it forget the program.
 *
 * No job control, as in any script: what runs in the background gets end-of-file as its input instead
 * of being stopped for asking. Without `stty` in the image the terminal stays as it is: directives
 * get /dev/null as input, and the reader of the log drops what the terminal adds. Where it is, bash
 * remembers, and is asked without a subshell.
 */
function setUp(token: string, prelude: string): string {
  return `\\builtin set +m
{ BASH_ARGV0=bash; } 2>/dev/null
\\builtin cd -- "\${HOME:-/}" 2>/dev/null || \\builtin :
\\builtin type -P stty >/dev/null || \\exec </dev/null
${unattendedDefaults()}
${prelude}
! \\builtin command stty ${MODE} ${SIZE} </dev/tty 2>/dev/null
\\builtin jobs >/dev/null
! \\builtin printf '${head('ready', token)}%s %s %s %s\\n%s${tail(token)}' "$EUID" "\${GROUPS[0]-$EUID}" "$-" "\${HOME-}" "\${BASH_CMDS[stty]-$(\\builtin type -P stty)}" >/dev/tty 2>/dev/null
{ \\builtin trap - CHLD DEBUG RETURN; \\builtin set +xv; } >/dev/null 2>&1
`
}

/** Something else has that number when the login scripts have used it themselves. */
function closing(gate: BootOptions['gate']): string {
  if (gate === undefined) return ''
  return gate.inherited
    .map((fd) => `\\builtin test /dev/fd/${fd} -ef /dev/ptmx && \\exec ${fd}>&-\n`)
    .join('')
}

/**
 * What is said at the gate is run in the shell itself, and as a rule does no more than tell of the start. When it ends
 * with 1, more is said: `$?` for the directive; or, after 0, in a subshell where its file is.
 */
function gatedStep({ path }: Pick<Gate, 'path'>, directory: string): string {
  const gate = quoteWord(path)
  const file = quoteWord(`${directory}/${DIRECTIVE_FILE}`)
  return `if \\builtin . ${gate}; then ! \\builtin . ${file}
elif \\builtin . ${gate}; then ! \\builtin . "$(\\builtin . ${gate})"; else ! \\builtin . ${file}; fi
`
}

/**
 * Each mark is one write, which the kernel does not mix with what others print; only traps, whose length
 * nobody knows, come between two.
 *
 * Three variables serve for all, in a subshell: the line, its length, and whatever is worked out from it.
 * A line that is not the one wanted was torn by another reader of the terminal: what is left of it goes too.
 * `exec -c`: beside a variable of 128 KB no program can be started but with an empty environment.
 */
function askingStep(token: string, directory: string): string {
  const [line, length, other] = [
    `_${token.slice(0, 10)}`,
    `_${token.slice(10, 20)}`,
    `_${token.slice(20)}`,
  ]
  const field = ({ at, length }: { at: number; length: number }) => `\${${line}:${at}:${length}}`
  const endsWith = (end: string) =>
    `case "${field(LINE.check)}\${${line}: -1}" in ${token.slice(0, LINE.check.length)}${end}) ;; *) (( 0 )); esac`
  const asking = `{ ${other}=0 ${length}=${LINE.short}
until \\builtin compgen -A running >/dev/null
\\builtin read -rs -t 4000000 -N "$${length}" -p $'${head('ask', token)}'"\${BASHPID-} $? $${length}"$'${tail(token)}' ${line}
${endsWith(LINE.end)} || (( ++${other} > ${MAX_QUESTIONS} ))
do if ${endsWith(LINE.more)}; then ${length}=${LINE.long}; else \\builtin read -rs -t 0.2 -N 4096 ${line} || \\builtin :; fi; done
if ${endsWith(LINE.end)}; then ${other}=\${${line}:${LINE.rest.at}} ${other}=\${${other}%%${LINE.separator}*}
case $${other} in /*) ( \\builtin exec -c "$${other}" ${MODE} ) 2>/dev/null; esac
\\builtin printf '${head('start', token)}${tail(token)}'; fi; } </dev/tty >/dev/tty 2>&1
${other}=\${${line}:${LINE.rest.at}}; ${other}=\${${other}#*${LINE.separator}} ${other}=\${${other}%${LINE.end}}; ${other}=\${${other}%"\${${other}##*[! ]}"}
case $${other} in /*) ;; *) \\builtin printf %s ${quoteWord(`${directory}/`)}; esac
\\builtin printf %s "$${other}"; \\builtin exit "${field(LINE.status)}"`
  return `! \\builtin . "$(\\builtin unalias -a; \\builtin eval ${quoteWord(asking)})"
`
}

/**
 * The line feed shows what the terminal makes of one. A shell that cannot tell that a directive has ended would
 * wait for a next one for ever.
 */
function end(token: string): string {
  return `{ \\builtin printf '${head('end', token)}%s %s\\n${tail(token)}' "\${PIPESTATUS[0]-$?}" "$-" >/dev/tty &&
\\builtin trap -p CHLD DEBUG RETURN >/dev/tty && \\builtin printf '${head('told', token)}${tail(token)}' >/dev/tty &&
\\builtin trap - CHLD DEBUG RETURN && \\builtin set +xv; } >/dev/null 2>&1 || ${GIVE_UP}
`
}

const head = (kind: MarkKind, token: string) => asFormat(markHead(kind, token))
const tail = (token: string) => asFormat(markTail(token))

function grouped(lines: readonly string[]): string {
  if (lines.length <= GROUP) return `{\n${lines.join('')}}\n`
  const groups: string[] = []
  for (let at = 0; at < lines.length; at += GROUP) {
    groups.push(grouped(lines.slice(at, at + GROUP)))
  }
  return grouped(groups)
}
