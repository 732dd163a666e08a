/**
 * Nothing of the agent is in a job's shell, and whatever a job does to its shell, the next directive
 * runs as in plain bash.
 */

import { type Trick, testTricks } from '../helpers/tricks.ts'

const NO_LOOP = "only meaningful in a `for', `while', or `until' loop"

const TRICKS: readonly Trick[] = [
  {
    name: 'readonly names of any kind change no status and no option',
    steps: [
      ["readonly status=0 flags=x now=1 IFS=$'\\n\\t' REPLY=x", ''],
      ['case $- in *x*) echo traced ;; esac; (exit 3)', '', 3],
    ],
    result: 'failed',
  },
  {
    name: 'the shell holds no variable, function, alias, trap, job or descriptor of the agent',
    steps: [
      ['for f in /proc/$$/fd/*; do [ $f -ef /dev/ptmx ] && echo $f; done; true', ''],
      [
        `declare -p | builtin while read -r _ _ x; do case $x in _[0-9a-f]*) echo "$x" ;; esac; done`.replace(
          'builtin ',
          '',
        ),
        '',
      ],
      ['alias; trap; jobs; history; fc -l', ''],
      ['declare -F | while read -r _ _ x; do case $x in *agent*) echo "$x" ;; esac; done', ''],
    ],
  },
  {
    name: 'every name unset, and functions forbidden, harm nobody',
    steps: [
      ['unset -f $(compgen -A function)', ''],
      ['for v in $(compgen -v); do unset "$v"; done 2>/dev/null; true', ''],
      ['FUNCNEST=1', ''],
      ['echo still here', 'still here\n'],
    ],
  },
  {
    name: 'job numbers and wait -n are those of the job',
    steps: [
      ['(read -t 0.3 x <> <(:); exit 5) & wait -n; echo $?', '5\n'],
      ['(read -t 100 x <> <(:)) & kill %1; echo $?', '0\n'],
    ],
  },
  {
    name: 'a program in the background gets end-of-file, as in any script',
    needs: 'coreutils',
    steps: [
      ['cat & wait; echo $?', '0\n'],
      ['(read x </dev/tty; echo "read $?") & wait', 'read 1\n'],
    ],
  },
  {
    name: 'a child that dies of INT does not end the directive',
    steps: [
      ["bash -c 'kill -INT $$' || true; echo on", /on\n$/],
      ['read x; echo "read $?"', 'read 1\n'],
    ],
  },
  {
    name: 'echo that was turned on shows nothing of the next directive',
    needs: 'stty',
    steps: [
      ['stty echo', ''],
      ['echo Hello', 'Hello\n'],
      ['stty echo icanon opost', ''],
      ['echo Hello again; read x; echo $?', 'Hello again\n1\n'],
    ],
  },
  {
    name: 'the size of the terminal lasts',
    needs: 'stty',
    steps: [
      ['stty cols 80', ''],
      ['stty size', '50 80\n'],
    ],
  },
  {
    name: 'options that look alike, and those of matching, stay apart',
    steps: [
      ['shopt -s nocasematch; set -E', ''],
      ['[ -o errexit ] || echo off; [ -o errtrace ] && echo on', 'off\non\n'],
    ],
  },
  {
    name: 'traps for DEBUG and RETURN under set -T see each command of the job, and none besides',
    steps: [
      [`set -T; trap 'echo "D $BASH_COMMAND"' DEBUG`, ''],
      ['echo 1\necho 2', 'D echo 1\n1\nD echo 2\n2\n'],
      ['set -x', 'D set -x\n'],
      ['echo $LINENO', "+++ echo 'D echo $LINENO'\nD echo $LINENO\n++ echo 1\n1\n"],
      ['{ set +x; trap - DEBUG; } 2>/dev/null', /./],
      [`trap 'echo R' RETURN; f() { :; }; f`, 'R\nR\n'],
      ['echo 3', '3\nR\n'],
    ],
  },
  {
    name: 'set -v shows the lines of the job, and only these',
    steps: [
      ['set -v', ''],
      ['echo a\necho b', 'echo a\na\necho b\nb\n'],
    ],
  },
  {
    name: 'a variable of 140 kB, which lets no program start, does not stop a shell',
    steps: [
      [`builtin printf -v BIG '%140000s' x; export BIG`, ''],
      ['echo one', 'one\n'],
      ['read x; echo "$?"', '1\n'],
    ],
  },
  {
    name: 'closed and redirected descriptors stay so',
    steps: [
      ['exec 0<&- 1>&- 2>&-', ''],
      ['echo lost; echo found >/dev/tty', 'found\n'],
      ['exec >/dev/tty 2>&1', ''],
      ['echo again', 'again\n'],
    ],
  },
  {
    name: 'strictness, POSIX mode and traps of every kind',
    steps: [
      [`set -euo pipefail -E; shopt -s lastpipe extdebug; trap 'echo ERR' ERR; set -o posix`, ''],
      ['trap "" INT TERM HUP; set -f -C -a -k', ''],
      ['! false; echo 1', '1\n'],
      ['false | true; echo no', 'ERR\n', 1],
    ],
    result: 'failed',
  },
  {
    name: 'a function in the place of a builtin ends the shell with a reason, not the job in a hang',
    steps: [['builtin() { :; }', /the job has damaged its shell/, 1]],
    result: 'failed',
  },
  {
    name: 'so does a limit that lets bash start nothing',
    steps: [['ulimit -n 3', /the job has damaged its shell/, 1]],
    result: 'failed',
  },
  {
    name: 'break and continue outside of loops are told',
    steps: [
      ['continue; break 3; echo on', `bash: continue: ${NO_LOOP}\nbash: break: ${NO_LOOP}\non\n`],
    ],
  },
]

testTricks('damage', TRICKS)
