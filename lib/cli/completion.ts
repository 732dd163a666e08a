/**
 * `agent completion SHELL`: prints a script that makes a shell complete the agent's command line.
 *
 * @module
 */

import { type CommandDef, defineCommand } from 'citty'
import { ConfigError } from '../errors.ts'
import { renderBash } from './completion/bash.ts'
import { renderFish } from './completion/fish.ts'
import { renderZsh } from './completion/zsh.ts'
import { describeProgram } from './definitions.ts'
import { print } from './print.ts'

const RENDERERS = { bash: renderBash, zsh: renderZsh, fish: renderFish } as const

const SHELLS = Object.keys(RENDERERS)

export const createCompletionCommand = (program: CommandDef) =>
  defineCommand({
    meta: {
      name: 'completion',
      description: `Print the script that makes a shell complete commands, options and their values.

Examples:
  source <(agent completion bash)      # this shell only; zsh likewise
  agent completion fish | source

To install it:
  agent completion bash | sudo install -Dm644 /dev/stdin /usr/local/share/bash-completion/completions/agent
  agent completion zsh | sudo install -Dm644 /dev/stdin /usr/local/share/zsh/site-functions/_agent
  agent completion fish | install -Dm644 /dev/stdin ~/.config/fish/completions/agent.fish`,
    },
    args: {
      shell: {
        type: 'positional',
        valueHint: SHELLS.join('|'),
        description: `One of ${SHELLS.join(', ')}`,
        required: true,
      },
    },
    run: async ({ args }) => {
      const render = Object.entries(RENDERERS).find(([name]) => name === args.shell)?.[1]
      if (render === undefined) {
        throw new ConfigError(`There is no completion for "${args.shell}"`, {
          hint: `Use one of: ${SHELLS.join(', ')}.`,
        })
      }
      await print(render(await describeProgram(program)))
    },
  })
