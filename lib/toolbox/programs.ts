/**
 * The job's small programs in bash: `retry`, `checksum`, and `cache`, which asks the agent. They use
 * nothing but what bash brings: an image may have nothing else.
 *
 * How they ask: a request is appended to `requests` (a FIFO in containers, a plain file on the
 * host) in lines short enough to be written whole, so that many may ask at once. The answer is
 * appended to the file `replies/ID`: `!` says that somebody listens, `+TEXT` is a line of output,
 * `=CODE` the end, `-TEXT` why there is no answer. To sleep without a program they wait for a pipe nobody writes to.
 *
 * @module
 */

import { quoteWord } from '../shell/quote.ts'

/** Below musl's buffer for standard output, 1,024 bytes: a longer line would be written in parts. */
const CHUNK_BYTES = 800

/** Between two looks for an answer. */
const PAUSE_SECONDS = 0.01

/** In pauses. Until somebody listens: the engine of a busy host may need seconds. */
const HEARD_LIMIT = 6_000

/** In pauses. Then it asks again: who was about to listen may have been killed. */
const ASK_AGAIN = 500

/** What a request carries: where the cache is, which lock-file keys apply, how to fail. */
const REQUEST_VARIABLES = [
  'HOME',
  'CACHE_FAIL_ON_ERROR',
  'SEMAPHORE_PROJECT_ID',
  'SEMAPHORE_GIT_BRANCH',
  'SEMAPHORE_GIT_PR_BRANCH',
  'SEMAPHORE_CACHE_BACKEND',
  'SEMAPHORE_CACHE_S3_BUCKET',
  'SEMAPHORE_CACHE_S3_URL',
  'SEMAPHORE_CACHE_S3_KEY',
  'SEMAPHORE_CACHE_S3_SECRET',
  'SEMAPHORE_CACHE_URL',
  'SEMAPHORE_CACHE_USERNAME',
  'SEMAPHORE_CACHE_PRIVATE_KEY_PATH',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
]

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

/** What it is put into says by `give_up REASON` that there is no answer. */
function askAgent(directory: string): string {
  const requests = quoteWord(`${directory}/requests`)
  return `
set +o posix # of POSIXLY_CORRECT: there, a file that cannot be opened yet ends the program
cd -P . 2>/dev/null # a link that leads here is not what "." means

ask() {
  local LC_ALL=C id=$$-$RANDOM$RANDOM text='' field rest waited=0 part line='' requests reply pause
  if [[ -p ${requests} ]]; then
    exec {requests}<>${requests}
  elif [[ -w ${requests} ]]; then
    exec {requests}>>${requests}
  fi
  exec {pause}<> <(:)
  [[ -n $requests && -n $pause ]] || give_up 'the agent cannot be asked from here'
  for field in "$PWD" "$EUID" "\${GROUPS[0]-0}" "$#" "$@" ${REQUEST_VARIABLES.map((name) => `"${name}=\${${name}-}"`).join(' ')}; do
    field=\${field//'%'/%25}
    field=\${field//$'\\n'/%0A}
    text+=\${field//$'\\t'/%09}$'\\t'
  done
  trap 'printf "%s !\\n" "$id" >&$requests; exit 129' HUP
  trap 'printf "%s !\\n" "$id" >&$requests; exit 130' INT
  trap 'printf "%s !\\n" "$id" >&$requests; exit 143' TERM
  trap '' PIPE # a reader of the output that has seen enough does not end the work
  until { exec {reply}<${quoteWord(`${directory}/replies/`)}"$id"; } 2>/dev/null; do
    if (( waited % ${ASK_AGAIN} == 0 )); then
      rest=$text
      printf '%s ~\\n' "$id" >&$requests
      while (( \${#rest} > ${CHUNK_BYTES} )); do
        printf '%s +%s\\n' "$id" "\${rest:0:${CHUNK_BYTES}}" >&$requests
        rest=\${rest:${CHUNK_BYTES}}
      done
      printf '%s .%s\\n' "$id" "$rest" >&$requests
    fi
    read -r -t ${PAUSE_SECONDS} -u "$pause" || :
    (( ++waited < ${HEARD_LIMIT} )) || give_up 'the agent does not answer'
  done
  while :; do
    if ! IFS= read -r part <&$reply; then
      line+=$part
      read -r -t ${PAUSE_SECONDS} -u "$pause" || :
      continue
    fi
    line+=$part
    case $line in
      +*) printf '%s\\n' "\${line:1}" 2>/dev/null || : ;;
      =*) exit "\${line:1}" ;;
      -*) give_up "\${line:1}" ;;
    esac
    line=''
  done
}`
}
