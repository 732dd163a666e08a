// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are expansions of bash
/**
 * Sequences of directives, made up at random from what scripts do to a shell; the same number gives
 * the same sequence. What they print depends neither on time nor on process numbers.
 *
 * @module
 */

import { createRandom, type Random } from './random.ts'

const NAMES = ['a', 'status', 'flags', 'i', 'x', 'line', 'REPLY', 'now', 'file', 'token']
const BUILTINS = ['read', 'printf', 'set', 'trap', 'exit', 'eval', 'test', 'jobs', 'local', 'stty']
const OPTIONS = [
  'u',
  'f',
  'a',
  'C',
  'E',
  'T',
  'h',
  'B',
  'k',
  'o pipefail',
  'o posix',
  'x',
  'e',
  'v',
]
const SHELL_OPTIONS = [
  ...['nocasematch', 'extglob', 'nullglob', 'lastpipe', 'inherit_errexit', 'expand_aliases'],
  ...['dotglob', 'failglob', 'globstar', 'sourcepath', 'xpg_echo', 'localvar_inherit'],
]
const SIGNALS = ['USR1', 'USR2', 'TERM', 'HUP', 'INT', 'WINCH']
const VALUES = ['1', 'two words', '', '-n', '*', 'a:b', "it's", '\\', '$HOME', 'Ü', '0x10']

type Snippet = (pick: (values: readonly string[]) => string, random: Random) => string

const SNIPPETS: readonly Snippet[] = [
  // variables
  (pick) => `${pick(NAMES)}='${pick(VALUES).replaceAll("'", '')}'`,
  (pick) => `echo "[\${${pick(NAMES)}-unset}]"`,
  (pick) => `readonly ${pick(NAMES)}=${pick(['0', 'r', '7'])}`,
  (pick) => `unset ${pick(NAMES)}`,
  (pick) => `export ${pick(NAMES)}=exported; env | grep -c '=exported$'`,
  (pick) => `declare -${pick(['i', 'u', 'l', 'r', 'x', 'g'])} ${pick(NAMES)}=12; echo $?`,
  (pick) => `declare -A map=([${pick(NAMES)}]=1 [z]=2); echo "\${#map[@]} \${map[z]}"`,
  (pick) => `list=(1 2 "${pick(['3 4', '5'])}"); list+=(6); echo "\${#list[@]} \${list[*]}"`,
  (pick) => `declare -n ref=${pick(['a', 'i', 'x'])}; ref=by_name; echo "$ref"; unset -n ref`,
  (pick) => `IFS='${pick([':', ' ', ',', '\n', '0'])}'; set -- a:b,c d; echo "$*" $1`,
  () => 'unset IFS',
  () => 'set -- one "two three"; echo "$# $2"',
  () => 'shift; echo $#',
  () => 'echo "$# $1"',
  () => 'unset PIPESTATUS BASHPID; echo unset',
  // statuses
  (_pick, random) => `(exit ${random(256)})`,
  (_pick, random) => `return ${random(4)}`,
  () => 'echo "status $?"',
  () => 'true | false | (exit 3); echo "${PIPESTATUS[@]}"',
  () => '! true; echo $?',
  () => 'no_such_program_x 2>/dev/null; echo $?',
  // options
  (pick) => `set -${pick(OPTIONS)}`,
  (pick) => `set +${pick(OPTIONS)}`,
  (pick) => `shopt -${pick(['s', 'u'])} ${pick(SHELL_OPTIONS)}`,
  () => 'shopt -po | grep -v history | grep -c -- -o',
  () => 'echo "${-//[^a-zA-Z]}"',
  // functions and aliases
  (pick) => `${pick(BUILTINS)}() { echo "mine $*"; }`,
  (pick) => `unset -f ${pick(BUILTINS)}`,
  () => 'f() { local y=1; echo "f $1 $y"; return 2; }; f one; echo $?',
  () => 'r() { if (( $1 > 0 )); then r $(( $1 - 1 )); else echo deep; fi; }; r 5',
  (pick) => `alias ${pick(['ll', 'until', 'printf', 'echo'])}='echo aliased'`,
  () => 'unalias -a',
  (pick) => `FUNCNEST=${pick(['1', '3', '0'])}`,
  // traps
  (pick) => `trap 'echo "got ${pick(SIGNALS)}"' ${pick(SIGNALS)}`,
  (pick) => `trap '' ${pick(['TERM', 'HUP', 'INT', 'QUIT'])}`,
  (pick) => `trap - ${pick(SIGNALS)}`,
  (pick) => `trap 'echo ${pick(['err', 'ERR $?'])}' ERR`,
  () => `trap 'echo returned' RETURN`,
  () => 'trap - RETURN ERR',
  () => `trap 'echo bye' EXIT`,
  () => 'trap -p',
  (pick) => `trap 'echo caught' USR1; kill -${pick(['USR1', 'WINCH'])} "$$"; echo sent`,
  (pick) =>
    `trap 'echo "D<$BASH_COMMAND>"' DEBUG${pick(['', '; set -T', '; set +T', '; f2() { echo in; }; f2'])}`,
  () => 'trap - DEBUG',
  (pick) => `trap ': ${pick(['child', `"it'\\''s"`, 'a\n: b'])}' CHLD; trap -p CHLD`,
  () => 'trap -p CHLD DEBUG RETURN ERR EXIT',
  () => `trap 'echo child' CHLD; set -m; (exit 1); set +m; trap - CHLD`,
  () => `trap 'echo "R $?"' RETURN; set -T`,
  () => 'set +T; set +E',
  () => `set -E; trap 'echo "E $? $LINENO"' ERR; f3() { false; echo f3; }; f3`,
  () => `set -E; (false; echo sub); f3() { return 3; }; f3; echo $?`,
  (pick) => `trap 'echo "own ${pick(SIGNALS)}"; return 3' USR1; kill -USR1 $$; echo on`,
  () => `(trap 'echo sub bye' EXIT; exit 4); echo $?`,
  () => `trap 'echo "bye $?"; exit 7' EXIT`,
  () => `trap 'trap - USR2; echo once' USR2; kill -USR2 $$; trap -p USR2`,
  // loops
  () => 'for i in 1 2 3; do [ $i = 2 ] && break 5; echo $i; done; echo after',
  () => 'for n in 1 2; do for m in 1 2; do continue 2; done; echo no; done; echo rest',
  (pick) => `${pick(['break', 'continue', 'break 2'])}; echo on`,
  () => 'n=0; while (( n < 3 )); do (( n++ )); done; echo "n $n"',
  () => 'until true; do :; done; echo until',
  () => 'case abc in ABC) echo upper ;; a*) echo lower ;; esac',
  () => 'select s in a b; do break; done </dev/null; echo "select $?"',
  // input, output and descriptors
  () => 'cat <<EOT\nhere $HOME\nEOT'.replace('$HOME', '$((6 * 7))'),
  () => "cat <<'EOT'\n$not `expanded`\nEOT",
  () => 'read -r line; echo "read $? [$line]"',
  () => 'cat; echo "cat $?"',
  () => 'printf "no end of line"',
  () => 'printf "\\001end 0 0\\002\\r\\n"',
  () => 'exec 3>&1; echo three >&3; exec 3>&-',
  () => 'exec 2>errors; echo hidden >&2; exec 2>/dev/tty; cat errors',
  () => 'exec >out; echo hidden; exec >/dev/tty; cat out',
  () => 'exec </dev/null',
  () => 'exec 9<&-; echo closed',
  () => '[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal',
  // Not icanon: bash gives a program's mode back when a later one is ended by a signal, and reading waits.
  () => 'stty echo cols 80; stty size',
  () => 'stty echo opost; echo changed',
  () => 'stty -a </dev/tty | grep -c "min = 0"',
  () => 'cat <<-EOT | tr a-z A-Z\n\tindented\n\tEOT',
  () => 'cat <<A; cat <<B\none\nA\ntwo\nB',
  () => 'cat <<<"$(printf \'a\\nb\\n\')"',
  () => "cat <<'EOT'\nnever closed",
  // Not in the first line, with which a job's traps come back: they would be lost with it.
  () => ':\necho "never closed',
  () => ':\n[[ a =~ ( ]]',
  // Not `$(`: bash 5.2 then writes before the beginning of a buffer, and dies of it now and then.
  () => ':\necho ${a[',
  () => 'echo before\nfi\necho after',
  () => ':\nf4() { echo unfinished',
  () => 'printf "a\\0b\\033[1mbold\\033[0m\\a\\b\\177\\n"',
  () => 'printf "\\001\\002\\n"; printf "\\xe2\\x82\\xac\\n"',
  () => 'printf "over\\rwritten\\n"; printf "%s\\n" -- "%d"; printf %b "a\\tb\\n"',
  () => 'exec 8<<<"eight"; read -r y <&8; echo "$y"; exec 8<&-',
  () => 'exec {fd}>fdfile; echo x >&"$fd"; exec {fd}>&-; cat fdfile',
  (_pick, random) => (random(6) === 0 ? 'exec /bin/echo replaced' : 'exec 4>&1 4>&-'),
  () => 'exec no_such_program_x; echo "still $?"',
  () => 'shopt -s execfail; exec no_such_program_x; echo "still $?"; shopt -u execfail',
  // jobs
  () => '(exit 4) & wait -n; echo $?; wait -n; echo $?',
  () => '(exit 3) & p=$!; wait "$p"; echo $?; wait "$p"; echo $?',
  () => 'wait 99999999; echo $?',
  () => 'set -m; (exit 9) & wait %1; echo $?; set +m; jobs',
  () => 'set -m; sleep 100 & kill %1; wait %1; echo $?; set +m',
  () => 'sleep 100 & disown %1; kill "$!"; echo "$?"; jobs',
  () => 'sleep 100 & kill %1; wait; echo $?; jobs',
  () => 'fg 2>&1; bg 2>&1; suspend 2>&1; echo $?',
  () => '{ read -r z; echo "z $z $?"; } & wait',
  () => 'echo piped | { read -r w; echo "[$w]"; }; echo "[$w]"',
  () => 'sleep 0.01 & wait; echo "waited $?"',
  () => '(exit 5) & wait $!; echo $?',
  () => '(exit 6) & wait -n; echo $?',
  () => 'cat & wait; echo "background $?"',
  () => 'sleep 0.3 & kill -KILL %% && wait "$!" 2>/dev/null; echo $?',
  () => 'set -m; sleep 0.01 & wait; set +m; echo controlled',
  () => 'jobs | wc -l',
  (pick) => `bash -c 'kill -${pick(['KILL', 'USR1', 'INT'])} $$' || true; echo lived`,
  () =>
    'coproc { read -r y; echo "co $y"; read -r y; }; echo in >&"${COPROC[1]}"; read -r x <&"${COPROC[0]}"; exec {COPROC[1]}>&-; wait; echo "$x"',
  // expansion
  () => 'echo $(( 7 / 2 )) $(( 2 ** 10 )) $(( 0x1f ))',
  () => 'echo $(( 1 / 0 ))\necho goes on',
  () => 'echo "$(echo nested "$(echo deep)")"',
  () => 'x=abcdef; echo ${x:1:3} ${x#ab} ${x^^} ${x/cd/-}',
  () => 'echo ${nothing?is missing}\necho goes on',
  () => 'diff <(echo a) <(echo a) && echo same',
  () => 'echo {1..3}{a,b}',
  () => 'echo *.none',
  () => ':\nif then fi',
  () => 'let "y = 3 + 4"; echo $y',
  () => 'echo "$undefined_x"; echo goes on',
  () => 'set -u; echo "$undefined_x"; echo goes on',
  () => 'set -u; echo "${arr_x[3]}" "${#none[@]}"; echo on',
  () => 'set -e; false; echo goes on',
  () => 'set -e; if false; then :; fi; ! true; false || true; echo survived; set +e',
  () => 'echo $(( 08 )); echo next',
  () => 'echo $(( 3 + )); echo next',
  () => 'declare -i n2=abc; n2+=5; echo $n2; n2="3 +"; echo $n2',
  () => 'arr=([2]=c [0]=a); echo "${!arr[@]} ${arr[@]: -1}"; unset "arr[0]"; echo "${#arr[@]}"',
  () => 'arr=(x); arr[-5]=1; echo $?',
  () => 'declare -a ro=(1); readonly ro; ro[0]=2; echo "after $?"',
  () => 'r=1; readonly r; r=2; echo "after $?"',
  () => 'f5() { local r=3; echo $r; }; f5; unset r; echo $?',
  () => 'local outside=1; echo $?',
  () => '(( 1 / 0 )); echo $?',
  () => 'test 1 -eq a; echo $?; [ ; echo $?',
  () => 'IFS=x read -r p q <<<"axb"; echo "$p $q"; IFS=; echo "${q}"',
  () => 'readonly IFS',
  () => 'readonly PATH HOME',
  () => 'unset HOME; cd; echo $?; HOME=$PWD',
  () => 'unset OLDPWD PWD; cd -; echo $?; cd /; pwd; cd',
  () => 'eval "if"; echo $?; eval "echo \'"; echo $?',
  () => '. ./no_such_file; echo $?',
  () => 'echo "return 4; echo no" >r.sh; . ./r.sh; echo $?',
  () => 'f6() { . /dev/stdin <<<"return 5"; echo "in $?"; return 6; }; f6; echo $?',
  () => 'command_not_found_handle() { echo "none: $1"; return 9; }; nocmd_x; echo $?',
  () => 'alias e2="echo two;"; e2 three',
  (pick) => `alias ${pick(['exit', 'read', 'cd', 'builtin', 'if', 'stty', 'trap'])}=:`,
  (pick) => `shopt -${pick(['s', 'u'])} ${pick(SHELL_OPTIONS)}; shopt -q extglob; echo $?`,
  () => 'ulimit -c 0; ulimit -c; ulimit -S -s >/dev/null; ulimit -t unlimited; echo $?',
  () => 'mkdir -p d/e; cd d/e; pwd -P | grep -c /d/e; cd; rmdir d/e d',
  () => 'mkdir gone; cd gone; rmdir ../gone; cd ..; cd',
  () => 'CDPATH=/usr; cd lib; unset CDPATH; cd',
  () => 'set -o noclobber; echo a >clob; echo b >clob; echo $?; set +o noclobber',
  () => 'enable -n test; type -t test; enable test',
  () => '( exit 3 ); ( return 4 ); echo $?; { exit 5; } | cat; echo "$?"',
  () => 'x=$(exit 6); echo $?; local_x=$(false) true; echo $?',
  () => 'coproc cat; exec {COPROC[1]}>&-; wait; echo co',
  () => 'TIMEFORMAT=t; time true',
  () => 'echo ~nobody_x ~/ ~+ | sed "s:$HOME:H:g"',
  () => 'echo "$-" | tr -d a-z | tr -d B',
  // where one is
  () => 'cd /tmp; pwd; cd - >/dev/null',
  () => 'pushd / >/dev/null; dirs -c; cd',
  () => 'echo "${#BASH_SOURCE[@]} ${FUNCNAME[0]} $LINENO $BASH_SUBSHELL $SHLVL"',
  () => '( cd /; echo "sub $BASH_SUBSHELL" )',
  () => 'umask 027; umask; umask 022',
  () => 'eval "echo evaluated; false" || echo or',
  () => 'source /dev/stdin <<<"echo sourced"',
  () => 'history; fc -l 2>/dev/null; set -o | grep -c history',
  () => '{ time -p true; } 2>/dev/null; echo timed',
  () => 'hash -r; type -t cd',
  () => 'OPTIND=1; getopts ab: o -b 5; echo "$o $OPTARG"',
  () => 'mapfile -t m < <(echo 1; echo 2); echo "${#m[@]}"',
  () => 'unset PATH; echo no path; PATH=/usr/bin:/bin',
  // the end of the shell
  (_pick, random) => (random(4) === 0 ? `exit ${random(5)}` : 'echo no exit'),
  (pick, random) => (random(4) === 0 ? `kill -${pick(['KILL', 'INT'])} $$` : 'echo no kill'),
]

export interface Sequence {
  readonly commands: readonly string[]
  /** They begin with the status of the command that failed, if one has. */
  readonly epilogues: readonly string[]
}

/** @returns the texts of a job */
export function createSequence(seed: number): Sequence {
  const random = createRandom(seed)
  const pick = (values: readonly string[]) => values[random(values.length)] ?? ''
  const snippet = () => SNIPPETS[random(SNIPPETS.length)]?.(pick, random) ?? ''
  const text = () => Array.from({ length: 1 + random(3) }, snippet).join('\n')
  const texts = (count: number) => Array.from({ length: count }, text)
  return { commands: texts(3 + random(5)), epilogues: texts(2 + random(3)) }
}
