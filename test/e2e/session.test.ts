/**
 * What a job's shell does with a directive, on the host and in containers: the same table for each.
 */

import { type Trick, testTricks } from '../helpers/tricks.ts'

const TRICKS: readonly Trick[] = [
  {
    name: 'directory, variables, functions and options persist',
    steps: [
      ['cd /tmp; X=5; f() { echo "f $1"; }; shopt -s nullglob', ''],
      ['echo "$PWD $X"; f 1; echo /nowhere/*', '/tmp 5\nf 1\n\n'],
    ],
  },
  {
    name: 'several lines with quotes and a here-document behave as in a script',
    steps: [
      [
        `for i in 1 2; do\n  echo "it's $i"\ndone\nwhile read -r l; do echo "[$l]"; done <<'EOT'\n$HOME \`x\` "q"\nEOT\necho 'a\nb'`,
        `it's 1\nit's 2\n[$HOME \`x\` "q"]\na\nb\n`,
      ],
    ],
  },
  {
    name: 'the status of the previous directive is visible, the first failure ends the commands',
    steps: [
      ['true', ''],
      ['echo $?; (exit 4)', '0\n', 4],
    ],
    result: 'failed',
  },
  {
    name: 'messages read as in any interactive shell',
    steps: [['no_such_program_x', 'bash: no_such_program_x: command not found\n', 127]],
    result: 'failed',
  },
  {
    name: 'set -e and a failure ends the shell with its exit code',
    steps: [
      ['set -e', ''],
      ['echo before; (exit 9); echo not reached', 'before\n', 9],
    ],
    result: 'failed',
  },
  {
    name: 'set -o pipefail holds, also in the next directive',
    steps: [
      ['set -o pipefail', ''],
      ['(exit 3) | true', '', 3],
    ],
    result: 'failed',
  },
  {
    name: 'exit 3 is 3, background children or not',
    steps: [['(while :; do read -t 1000 x <> <(:); done) & echo bye; exit 3', 'bye\n', 3]],
    result: 'failed',
  },
  {
    name: 'a shell killed by KILL is 137',
    steps: [['echo dying; kill -9 $BASHPID', 'dying\n', 137]],
    result: 'failed',
  },
  {
    name: 'return gives a directive its exit code, without ending the shell',
    steps: [['return 5', '', 5]],
    result: 'failed',
  },
  {
    name: 'input, output and error are the terminal, and reading it is end-of-file',
    needs: 'stty',
    steps: [
      ['[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal', 'terminal\n'],
      ['read -r x; echo "read $? [$x]"', 'read 1 []\n'],
    ],
  },
  {
    name: 'cat without input ends at once',
    needs: 'coreutils',
    steps: [['cat; echo "cat $?"', 'cat 0\n']],
  },
  {
    name: 'reading input does not hang where the image has no stty',
    steps: [['read -r x; echo "read $? [$x]"', 'read 1 []\n']],
  },
  {
    name: 'stty echo, or sane, does not leak the lines that are typed',
    needs: 'stty',
    steps: [
      ['stty echo icanon', ''],
      ['echo one', 'one\n'],
      ['stty sane', ''],
      ['echo two; read -r x; echo "read $?"', 'two\nread 1\n'],
      ['echo three', 'three\n'],
    ],
  },
  {
    name: 'set -x traces the directives and nothing else',
    steps: [
      ['set -x', ''],
      ['echo a', '++ echo a\na\n'],
      ['(exit 0); set +x', '++ exit 0\n++ set +x\n'],
      ['echo b', 'b\n'],
    ],
  },
  {
    name: 'set -x does not get into the result that a job gives itself',
    steps: [
      ['export SEMAPHORE_JOB_RESULT=passed; set -x', ''],
      ['return 130', '++ return 130\n', 130],
    ],
  },
  {
    name: 'PS1, PROMPT_COMMAND, IFS, PATH, noclobber and a closed input do no harm',
    steps: [
      ['PS1="prompt> " PROMPT_COMMAND="echo prompt"; set -uC; IFS=:; exec </dev/null', ''],
      ['echo one', 'one\n'],
      ['unset PATH; read() { echo mine; }; printf() { echo mine; }; exit_() { :; }', ''],
      ['read; echo two', 'mine\ntwo\n'],
    ],
  },
  {
    name: 'traps act on the directives and not on the agent between them',
    steps: [
      [
        `trap 'echo "ERR $BASH_COMMAND"' ERR; trap 'echo "DEBUG $BASH_COMMAND"' DEBUG; echo 1`,
        'DEBUG echo 1\n1\n',
      ],
      ['echo 2', '2\n'],
      ['! false; trap - ERR DEBUG', ''],
      [`trap 'echo EXIT' EXIT`, ''],
      ['echo 3', '3\n'],
    ],
  },
  {
    name: 'break and continue find no loop but those of the directive',
    steps: [
      ['for f in a b; do [ $f = a ] && break 2; done; echo rest', 'rest\n'],
      ['for f in a b; do continue 9; done; echo rest of it', 'rest of it\n'],
      ['break; echo on', "bash: break: only meaningful in a `for', `while', or `until' loop\non\n"],
      ['continue 2', "bash: continue: only meaningful in a `for', `while', or `until' loop\n"],
      ['echo here', 'here\n'],
    ],
  },
  {
    name: 'a syntax error is told with its own line, and is 2',
    steps: [
      [
        'if then fi',
        /^bash: \S+: line 1: syntax error near unexpected token `then'\nbash: \S+: line 1: `if then fi'\n$/,
        2,
      ],
    ],
    result: 'failed',
  },
  {
    name: 'control bytes and copies of marks are output like any other',
    steps: [
      [
        `builtin printf '\\001end 0123456789abcdef0123456789abcdef 0\\002\\001start x\\002\\033[31m\\000\\177\\n'`,
        '\x01end 0123456789abcdef0123456789abcdef 0\x02\x01start x\x02\x1b[31m\0\x7f\n',
      ],
    ],
  },
  {
    name: 'bytes that are no UTF-8 become U+FFFD one by one, and characters are never cut',
    steps: [
      [`builtin printf 'a\\xe2\\x82b\\xff\\n'`, 'a\ufffd\ufffdb\ufffd\n'],
      [
        `builtin printf '\\xe2'; builtin printf '\\x82'; read -t 0.1 x <> <(:); builtin printf '\\xac\\n'`,
        '€\n',
      ],
    ],
  },
  {
    name: 'a carriage return directly before a line feed is dropped, every other is kept',
    steps: [
      [
        `builtin printf 'a\\r'; read -t 0.1 x <> <(:); builtin printf '\\nb\\r\\r\\nc\\rd\\n'`,
        'a\nb\r\nc\rd\n',
      ],
    ],
  },
  {
    name: 'output without a final newline is delivered as it is',
    steps: [
      ['builtin printf abc', 'abc'],
      ['builtin printf def', 'def'],
    ],
  },
  {
    name: 'output that comes after the end of a directive is not lost',
    steps: [
      ['( { read -t 0.2 x <> <(:); echo late; } & )', ''],
      ['read -t 0.6 x <> <(:); echo after', 'late\nafter\n'],
    ],
  },
  {
    name: 'a background process does not hold a directive open',
    needs: 'coreutils',
    steps: [
      ['sleep infinity & echo started', 'started\n'],
      ['echo next', 'next\n'],
    ],
  },
  {
    name: 'a variable declared at the top of a directive is global',
    steps: [
      ['declare X=1; declare -a L=(a b)', ''],
      [`echo "$X \${L[1]}"`, '1 b\n'],
    ],
  },
  {
    name: 'an unset variable under set -u fails the directive',
    steps: [
      ['set -u', ''],
      ['echo "$nowhere_x"', 'bash: nowhere_x: unbound variable\n', 1],
    ],
    result: 'failed',
  },
]

testTricks('session', TRICKS)
