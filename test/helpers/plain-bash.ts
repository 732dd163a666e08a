/**
 * The yardstick of a job's shell: plain bash that sources texts one after the other at its top level,
 * on a terminal whose input is at its end, without job control.
 *
 * Where the agent differs on purpose, so does this:
 * - The status of a text as a whole acts neither on `set -e` nor on a trap for ERR: it has acted inside.
 * - Nothing but the texts is traced, shown, or seen by a trap for DEBUG.
 * - The terminal is brought back into its mode before each text: a `stty icanon` lasts for one.
 */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

/** What came of one text. */
export interface Told {
  readonly text: string
  readonly output: string
  /** 0 to 255; undefined for {@link AT_EXIT}. */
  readonly status?: number | undefined
}

/** The name of what the shell prints after the last text. */
export const AT_EXIT = 'at the end of the shell'

export interface PlainRun {
  /** Name → content, for a directory of its own. */
  readonly files: Readonly<Record<string, string>>
  /** Among the files: for a login bash without a history. */
  readonly script: string
  /** @param status the shell's. When it ends within a text, that is the last */
  parse(output: string, status: number): Told[]
}

const MODE = '-icanon -echo -opost min 0 time 0'

/** @param directory as the shell sees it */
export function planPlainRun(texts: readonly string[], directory: string): PlainRun {
  const mark = randomBytes(8).toString('hex')
  const files: Record<string, string> = {}
  const lines: string[] = []
  for (const [index, text] of [...texts, undefined].entries()) {
    const [name, teller] = [`text-${index}`, `tell-${index}`]
    files[name] = text ?? ''
    files[teller] = tell(mark, text === undefined ? '' : join(directory, name))
    // A trap for DEBUG prints to where the shell does, not into the name.
    const asking = `{ \\builtin . ${join(directory, teller)}; } 3>&1 >/dev/null 2>&1`
    lines.push(`${text === undefined ? '\\builtin eval' : '! \\builtin .'} "$(${asking})"\n`)
  }
  files['script'] = `set +m
BASH_ARGV0=bash
/bin/stty ${MODE} cols 200 rows 50 </dev/tty
jobs >/dev/null
cd "$HOME"
{
${lines.join('')}}
`
  // What `set -x` shows of the script's own lines, and what a trap for DEBUG says of them.
  const inOwn = `\\\\?builtin ((\\.|eval) (${directory}/|'builtin exit|"\\$\\(\\{ .{0,3}builtin \\. ${directory}/)|exit)[^\n]*\n`
  const own = new RegExp(`(^(\\++ )?${inOwn})|((\\++ echo ')?(aliased )*D<${inOwn})`, 'gm')
  const parse = (output: string, status: number) => {
    const parts = output
      .split(new RegExp(`<${mark} (\\d+)>`))
      .map((part) => part.replaceAll(own, ''))
    // parts[0] is what came before all; then status before, output, status, output …
    return [...texts, AT_EXIT].flatMap((text, index): Told[] => {
      const [said, next] = [parts[2 * index + 2], parts[2 * index + 3]]
      if (said === undefined) return []
      if (text === AT_EXIT) return [{ text, output: parts.slice(2 * index + 2).at(-1) ?? '' }]
      return [{ text, output: said, status: next === undefined ? status : Number(next) }]
    })
  }
  return { files, script: 'script', parse }
}

/**
 * Run in a command substitution: leaves nothing behind, and no trap or option of a text acts on it.
 *
 * @param file of the next text; empty when the shell is to end
 */
function tell(mark: string, file: string): string {
  return `plain_status="\${PIPESTATUS[0]-$?}"
\\builtin trap - DEBUG RETURN ERR
\\builtin set +xvefu
/bin/stty ${MODE} </dev/tty
\\builtin printf '<${mark} %s>' "$plain_status" >/dev/tty
\\builtin printf %s ${file === '' ? '"builtin exit $plain_status"' : `'${file}'`} >&3
\\builtin exit "$plain_status"
`
}
