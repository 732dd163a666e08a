/**
 * The yardstick of a job's shell: plain bash that sources texts one after the other at its top level,
 * on a terminal whose input is at its end, without job control.
 *
 * Where the agent differs on purpose, so does this: the status of a text as a whole acts neither on
 * `set -e` nor on a trap for ERR, since it has acted inside; nothing but the texts is traced or shown.
 */

import { randomBytes } from 'node:crypto'

/** What came of one text. */
export interface Told {
  readonly output: string
  readonly status: number
  /** The shell has ended with it. */
  readonly isLast: boolean
}

export interface PlainScript {
  /** For a login bash without a history. */
  readonly text: string
  /** @param status the shell's */
  parse(output: string, status: number): Told[]
}

/** @param texts their files, as the shell sees them */
export function plainScript(texts: readonly string[]): PlainScript {
  const mark = randomBytes(8).toString('hex')
  const tell = (file: string) =>
    `"$({ plain_status="\${PIPESTATUS[0]-$?}"; builtin printf '<${mark} %s>' "$plain_status" >/dev/tty
builtin printf %s '${file}'; builtin exit "$plain_status"; } 2>/dev/null)"`
  const text = `set +m
BASH_ARGV0=bash
stty -icanon -echo -opost min 0 time 0 cols 200 rows 50 </dev/tty
jobs >/dev/null
cd "$HOME"
{
${[...texts, '/dev/null'].map((file) => `! builtin . ${tell(file)}`).join('\n')}
! builtin . ${tell('/dev/null')}
}
`
  const parse = (output: string, status: number): Told[] => {
    const parts = output.split(new RegExp(`<${mark} (\\d+)>`))
    return texts.flatMap((file, index) => {
      const [said, next] = [parts[2 * index + 2], parts[2 * index + 3]]
      if (said === undefined) return []
      const isLast = next === undefined
      const own = said.replace(new RegExp(`^\\++ builtin \\. ${file}\\n`), '')
      return [{ output: own, status: isLast ? status : Number(next), isLast }]
    })
  }
  return { text, parse }
}
