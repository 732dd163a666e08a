/**
 * The script that turns a fresh `bash --login -i` into a job's shell.
 *
 * bash runs it as its script file, so it never comes to a prompt: `PS1`, `PROMPT_COMMAND` and
 * history never act, and yet the shell is an interactive one (aliases, job control, messages
 * without line numbers). It loops at the top level: wait for a line on the terminal that names the
 * next directive's file, print the start mark, source the file, print the end mark with its status.
 *
 * What must not leak into the log, and how it is kept out (each seen to fail without it):
 * - `set -x`, `set -a`, `set -e` of one directive must hold in the next, but not for the lines in
 *   between: they are off while the loop works and come back with the first command of the file, by a DEBUG trap.
 *   For a file of the agent's own they stay off.
 * - `! builtin .` keeps the ERR trap and `set -e` from acting a second time on the file's status;
 *   PIPESTATUS has the status before the inversion.
 * - `break` and `continue` in a directive act on this loop: the end mark is printed at its head,
 *   and a `break` leads to sourcing the loop anew.
 * - The terminal answers every read at once with end-of-file (`min 0 time 0`); only bash 5.2 and
 *   newer waits all the same in `read -t`, older ones, and all in POSIX mode, need `min 1` for as long
 *   as they read.
 * - bash would add the script's own lines to the user's `~/.bash_history` when it ends.
 * - Without `stty` in the image the terminal keeps its echo: directives get /dev/null as input, and
 *   the reader of the log drops the echo of the line it typed.
 *
 * @module
 */

import { endMark, readyMark, startMark } from './marks.ts'
import { unattendedDefaults } from './unattended.ts'

/** Wide, so that tables and progress bars in a log do not wrap; the height hardly matters. */
const TERMINAL_COLUMNS = 200
const TERMINAL_ROWS = 50

/** A directive that took longer may have started a program that changed the terminal's mode. */
const TRUSTED_MICROSECONDS = 500

/**
 * @param token unguessable; the ready mark carries it
 * @param prelude lines of bash, run once the login scripts are done
 * @returns the text of the file given to `bash --login -i`
 */
export function bootScript(token: string, prelude = ''): string {
  return `${SETUP.trim()}
${unattendedDefaults()}
${prelude}
builtin printf '${octal(readyMark(token, '%s %s %s %s'))}' "$EUID" "\${GROUPS[0]-$EUID}" "\${__agent_stty:+raw}" "\${HOME-}" >/dev/tty
${LOOP.trim()}
__agent_loop='${LOOP.trim()}
builtin eval "$__agent_loop"'
builtin eval "$__agent_loop"
`
}

/** A mark as a printf format: control bytes as octal escapes. */
function octal(mark: string): string {
  return mark.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: marks are framed by control bytes
    /[\x01-\x1f]/g,
    (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
}

const SETUP = `
builtin set +o history
builtin unset HISTFILE
{ BASH_ARGV0=bash; } 2>/dev/null
__agent_nonce= __agent_last=0 __agent_flags= __agent_trap= __agent_debug=-
__agent_at=\${EPOCHREALTIME-0} __agent_armed= __agent_broke= __agent_do= __agent_stty= __agent_old=
builtin hash stty 2>/dev/null && __agent_stty=\${BASH_CMDS[stty]}
(( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 502 )) && __agent_old=y
__agent_mode() {
  [[ -z $__agent_stty ]] || "$__agent_stty" -icanon -echo -opost min 0 time 0 cols ${TERMINAL_COLUMNS} rows ${TERMINAL_ROWS} </dev/tty
}
__agent_read() {
  builtin local tries=0 blind=$__agent_old
  if [[ -o posix ]]; then blind=y; fi
  if [[ -z $__agent_stty ]]; then
    until builtin read -rs -t 600 __agent_nonce __agent_do __agent_file </dev/tty; do
      (( $? > 128 || ++tries < 1000 )) || builtin exit 1
    done
    builtin return
  fi
  if [[ -n $blind ]]; then
    "$__agent_stty" -icanon -echo -opost min 1 time 0 </dev/tty
  elif (( \${1/[.,]/} - \${__agent_at/[.,]/} > ${TRUSTED_MICROSECONDS} )); then
    __agent_mode
  fi
  until builtin read -r -t 600 __agent_nonce __agent_do __agent_file </dev/tty; do
    (( $? > 128 || ++tries < 1000 )) || builtin exit 1
  done
  [[ -z $blind ]] || __agent_mode
}
__agent_status() { builtin return "$1"; }
__agent_resume() {
  case \${FUNCNAME[1]-} in '' | main | __agent_status) builtin return 0 ;; esac
  __agent_armed= __agent_debug=-
  builtin set +T
  builtin trap - DEBUG
  builtin eval "$__agent_trap"
  builtin set "-$__agent_flags"
}
__agent_turn() {
  builtin local now=\${EPOCHREALTIME-999999} status=$1 IFS=' ' flags=$__agent_broke
  case $- in *a*) flags+=a ;; esac
  case $- in *e*) flags+=e ;; esac
  case $- in *x*) flags+=x ;; esac
  builtin set +aex
  if [[ -z $__agent_armed ]]; then
    __agent_flags=$flags __agent_trap=
    case $- in *T*) __agent_flags+=T __agent_trap=$(builtin trap -p DEBUG) ;; esac
  fi
  builtin set +T
  __agent_broke= __agent_armed= __agent_debug=-
  if [[ -n $__agent_nonce ]]; then
    [[ $__agent_do == *q* ]] || __agent_last=$status
    builtin printf '${octal(endMark('%s', '%s'))}' "$__agent_nonce" "$status" >/dev/tty
  fi
  __agent_read "$now"
  builtin printf '${octal(startMark('%s'))}' "$__agent_nonce" >/dev/tty
  __agent_at=\${EPOCHREALTIME-0}
  [[ -n $__agent_flags ]] || builtin return 0
  __agent_armed=y
  [[ $__agent_do != *q* ]] || builtin return 0
  __agent_debug='{ __agent_resume; } >/dev/null 2>&1'
  builtin set -T
}
builtin cd -- "\${HOME:-/}" 2>/dev/null
__agent_mode 2>/dev/null
`

// Free of single quotes: the script holds it once as it is and once as a string, for after a `break`.
const LOOP = `
while { __agent_turn "\${PIPESTATUS[0]}"; builtin trap -- "$__agent_debug" DEBUG; } >/dev/null 2>&1; do
  case $__agent_stty:$__agent_last in
    :0) ! builtin . "$__agent_file" </dev/null ;;
    :*) __agent_status "$__agent_last" || ! builtin . "$__agent_file" </dev/null ;;
    *:0) ! builtin . "$__agent_file" ;;
    *) __agent_status "$__agent_last" || ! builtin . "$__agent_file" ;;
  esac
done
{ case $- in *x*) __agent_broke=x; builtin set +x ;; esac; builtin trap - DEBUG; } >/dev/null 2>&1
`
