/**
 * The job's small programs in bash: `retry`, `checksum`, and `cache` and `mask`, which ask the agent. They use
 * nothing but what bash brings: an image may have nothing else.
 *
 * How they ask: a request is written to a file in lines short enough to be written whole, so that many
 * may ask at once. On the host that is the plain file `requests`; in containers it is `asks/UID`, a FIFO
 * to which only that user (and root) can write: that proves who asks. One who has none yet asks for
 * it through the FIFO `requests`. The answer is appended to a file in `replies`: `!` says that
 * somebody is there, `+TEXT` is a line of output, `=CODE` the end, `-TEXT` why there is no answer.
 * To sleep without a program they wait for a pipe nobody writes to.
 *
 * @module
 */

import { CACHE_VARIABLES } from '../cache/backends.ts'
import { quoteWord } from '../shell/quote.ts'

/** Below musl's buffer for standard output, 1,024 bytes: a longer line would be written in parts. */
const CHUNK_BYTES = 800

/** Between two looks for an answer: at first, and when it takes longer than {@link SOON} of them. */
const PAUSE_SECONDS = 0.01
const LONG_PAUSE_SECONDS = 0.1
const SOON = 100

/**
 * In looks without an answer: twenty seconds, in which there should have been ten signs of life. In a
 * container a minute until somebody listens, for its engine may be busy with something else.
 */
const LIFE_LIMIT = 290
const HEARD_LIMIT = 690

/** In looks. Then it asks again: who was about to listen may have been killed. */
const ASK_AGAIN = 50

export const RETRY_PROGRAM = `
tries=3 pause=0
while :; do
  case \${1-} in
    -t | --times) tries=\${2-}; shift 2 || break ;;
    -s | --sleep) pause=\${2-}; shift 2 || break ;;
    -t* | --times=*) tries=\${1#-t} tries=\${tries#--times=}; shift ;;
    -s* | --sleep=*) pause=\${1#-s} pause=\${pause#--sleep=}; shift ;;
    --) shift; break ;;
    -*) set --; break ;;
    *) break ;;
  esac
done
if [[ ! $tries =~ ^[1-9][0-9]*$ || ! $pause =~ ^[0-9]+(\\.[0-9]+)?$ || $# == 0 ]]; then
  echo 'Usage: retry [-t TIMES] [-s SECONDS] COMMAND...' >&2
  exit 2
fi
# Those of an exported SHELLOPTS are for the command alone.
options=$-
set +eu
for (( try = 1; ; try++ )); do
  (
    [[ $options != *e* ]] || set -e
    [[ $options != *u* ]] || set -u
    # One word that is no command may be a whole line of shell.
    if (( $# == 1 )) && ! type -t -- "$1" >/dev/null; then eval "$1"; else "$@"; fi
  )
  status=$?
  (( status != 0 )) || exit 0
  if (( try >= tries )); then
    echo "[$try/$tries] Execution Failed with exit status $status. No more retries."
    exit "$status"
  fi
  echo "[$try/$tries] Execution Failed with exit status $status. Retrying."
  [[ $pause == 0 ]] || read -r -t "$pause" <> <(:)
done
`

/** @param directory of the toolbox */
export function checksumProgram(directory: string): string {
  return `
if (( $# != 1 )); then
  echo 'Usage: checksum FILE' >&2
  exit 2
fi
if [[ ! -f $1 || ! -r $1 ]]; then
  echo "checksum: $1: no such file, or not readable" >&2
  exit 1
fi
if hash md5sum 2>/dev/null && sum=$(md5sum <"$1"); then
  echo "\${sum%% *}"
  exit
fi
give_up() {
  echo "checksum: $1" >&2 # standard output is for the sum, which many put into a key
  exit 1
}
${askAgent(directory)}
ask checksum "$1"
`
}

/** @param directory of the toolbox */
export function cacheProgram(directory: string): string {
  return `
give_up() {
  echo "error: $1"
  [[ \${CACHE_FAIL_ON_ERROR-} != true ]]
  exit
}
${askAgent(directory)}
ask cache "$@"
`
}

/**
 * A value that is read from standard input is in no list of processes.
 *
 * @param directory of the toolbox
 */
export function maskProgram(directory: string): string {
  return `
value=
if (( $# == 0 )); then
  IFS= read -r -d '' value || :
  if [[ -z $value ]]; then
    echo 'Usage: mask VALUE..., or mask <FILE' >&2
    exit 2
  fi
  set -- "$value"
fi
give_up() {
  echo "mask: $1" >&2
  exit 1
}
${askAgent(directory)}
ask mask "$@"
`
}

/**
 * What it is put into says by `give_up REASON` that there is no answer.
 *
 * A FIFO is opened for writing alone, which never waits as long as it is open for both: else one that
 * is full, and that nobody reads any more, would take its writers for ever.
 */
function askAgent(directory: string): string {
  const [requests, asks, replies] = ['requests', 'asks/', 'replies/'].map((name) =>
    quoteWord(`${directory}/${name}`),
  )
  return `
set +o posix # of POSIXLY_CORRECT: there, a file that cannot be opened yet ends the program
cd -P . 2>/dev/null # a link that leads here is not what "." means

# open_requests FILE: for writing, as $requests
open_requests() {
  local both
  if [[ -p $1 ]]; then
    exec {both}<>"$1" {requests}>"$1" {both}>&-
  elif [[ -w $1 ]]; then
    exec {requests}>>"$1"
  else
    return 1
  fi
} 2>/dev/null

send_line() { printf '%s %s\\n' "$id" "$1" >&$requests; } 2>/dev/null

# Fails when nobody reads, or is not yet there to read.
send() {
  local rest=$text
  [[ -z $requests ]] || exec {requests}>&-
  requests=
  if [[ -p ${requests} && ! -p ${asks}$EUID ]]; then
    open_requests ${requests} && printf '%s\\n' "$EUID" >&$requests
    return 1
  fi 2>/dev/null
  open_requests "$channel" && send_line '~' || return
  while (( \${#rest} > ${CHUNK_BYTES} )); do
    send_line "+\${rest:0:${CHUNK_BYTES}}" || return
    rest=\${rest:${CHUNK_BYTES}}
  done
  send_line ".$rest"
}

# Reads a line of the answer, or what there is of it.
hear() {
  [[ -n $reply ]] || exec {reply}<"$answer" || return
  local part
  IFS= read -r part <&$reply
  local status=$?
  line+=$part
  return $status
} 2>/dev/null

ask() {
  local LC_ALL=C id=$$-$RANDOM$RANDOM text='' field line='' requests='' reply='' pause=''
  local silence=0 limit=${LIFE_LIMIT} channel=${requests} answer=${replies}$id
  if [[ -p $channel ]]; then
    channel=${asks}$EUID answer=${replies}$EUID.$id limit=${HEARD_LIMIT}
  fi
  exec {pause}<> <(:)
  [[ -n $pause && -r ${replies} && ( ! -e $channel || -w $channel ) ]] ||
    give_up 'the agent cannot be asked from here'
  for field in "$PWD" "$EUID" "\${GROUPS[0]-0}" "$#" "$@" ${CACHE_VARIABLES.map((name) => `"${name}=\${${name}-}"`).join(' ')}; do
    field=\${field//'%'/%25}
    field=\${field//$'\\n'/%0A}
    text+=\${field//$'\\t'/%09}$'\\t'
  done
  trap 'send_line "!"; exit 129' HUP
  trap 'send_line "!"; exit 130' INT
  trap 'send_line "!"; exit 143' TERM
  trap '' PIPE # a reader of the output that has seen enough does not end the work
  while :; do
    while hear; do
      silence=0 limit=${LIFE_LIMIT}
      case $line in
        +*) printf '%s\\n' "\${line:1}" 2>/dev/null || : ;;
        =*) exit "\${line:1}" ;;
        -*) give_up "\${line:1}" ;;
      esac
      line=
    done
    (( silence < limit )) || give_up 'the agent does not answer'
    if [[ -z $reply ]]; then
      (( silence % ${ASK_AGAIN} == 0 )) && sent= || :
      [[ -n $sent ]] || { send && sent=yes; } || :
    fi
    if (( silence++ < ${SOON} )); then field=${PAUSE_SECONDS}; else field=${LONG_PAUSE_SECONDS}; fi
    read -r -t $field -u "$pause" || :
  done
}`
}
