/** Somebody who types into a shell on a real terminal, where the agent's words can be completed. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openHostTerminal } from '../../lib/terminal/host-terminal.ts'
import { MARK } from '../runner/survivors.ts'
import { waitFor } from './host.ts'

export type Shell = 'bash' | 'fish' | 'zsh'

const BINARY = resolve('dist/agent')

const PROMPT = 'ready> '

/** What a user would have in the shell's own file. A function that shows its words stands for the agent. */
const PROFILES: Readonly<Record<Shell, string>> = {
  bash: `PS1='${PROMPT}'
agent() { echo "[$*]"; }
source <(${BINARY} completion bash)
`,
  zsh: `PS1='${PROMPT}' LISTMAX=1000
agent() { echo "[$*]"; }
autoload -Uz compinit
compinit -D -u
source <(${BINARY} completion zsh)
`,
  fish: `function agent; echo "[$argv]"; end
function fish_prompt; echo '${PROMPT}'; end
${BINARY} completion fish | source
`,
}

const ARGUMENTS: Readonly<Record<Shell, (profile: string) => string[]>> = {
  bash: (profile) => ['--noprofile', '--rcfile', profile, '-i'],
  zsh: () => ['--no-globalrcs', '-i'],
  fish: (profile) => ['--no-config', '--init-command', `source ${profile}`, '-i'],
}

/**
 * Types keys, `\t` and `\r` among them, at a fresh prompt.
 *
 * @param isDone told of all that has appeared since on the terminal
 * @returns that, once it is done
 */
export type Type = (keys: string, isDone: (screen: string) => boolean) => Promise<string>

/** Opens the shell for as long as the work takes. */
export async function withShell(
  shell: Shell,
  directory: string,
  work: (type: Type) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'typing-'))
  const profile = join(home, '.zshrc') // zsh finds it, the others are told
  await writeFile(profile, PROFILES[shell])
  const terminal = openHostTerminal({
    file: `/usr/bin/${shell}`,
    args: ARGUMENTS[shell](profile),
    environment: {
      PATH: '/usr/bin:/bin',
      HOME: home,
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      [MARK]: process.env[MARK] ?? '',
    },
    directory,
  })
  let screen = ''
  const show = async () => {
    for await (const chunk of terminal.output) screen += Buffer.from(chunk).toString('latin1')
  }
  const shown = show()
  const send = async (keys: string, isDone: () => boolean) => {
    screen = ''
    terminal.write(keys)
    await waitFor(isDone, `${shell} answers to ${JSON.stringify(keys)}`).catch((cause) => {
      throw new Error(`On the terminal: ${JSON.stringify(screen)}`, { cause })
    })
  }
  try {
    await send('', () => screen.includes(PROMPT))
    await work(async (keys, isDone) => {
      await send(keys, () => isDone(screen))
      const answer = screen
      await send('\x03\r', () => screen.includes(PROMPT))
      return answer
    })
  } finally {
    process.kill(terminal.pid, 'SIGKILL') // it may be asking something
    await Promise.all([terminal.exited, shown])
    terminal.close()
    await rm(home, { recursive: true, force: true })
  }
}
