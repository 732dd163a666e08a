/**
 * A completion script for zsh, to be sourced, or installed as `_agent` in a directory of `fpath`.
 *
 * @module
 * @see zshcompsys(1), _arguments and _describe
 */

import type {
  CommandDescription,
  OptionDescription,
  ProgramDescription,
  Value,
} from '../definitions.ts'

export function renderZsh({ name, commands }: ProgramDescription): string {
  const described = commands.map(({ name, summary }) => quote(`${name}:${escapeColons(summary)}`))
  return `#compdef ${name}

_${name}() {
  local -a commands
  local context state state_descr line ret=1
  typeset -A opt_args
  commands=(
    ${[...described, quote('help:Show help for a command')].join('\n    ')}
  )
  _arguments -C \\
    '(- *)--help[Show help for the agent]' \\
    '(- *)--version[Print the version]' \\
    '1:command:->command' \\
    '*:: :->words' && return 0
  case $state in
    command)
      _describe -t commands command commands && ret=0
      ;;
    words)
      case $words[1] in
        help) _describe -t commands command commands && ret=0 ;;
${commands.map(commandCase).join('\n')}
      esac
      ;;
  esac
  return ret
}

if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`
}

function commandCase({ name, positionals, options }: CommandDescription): string {
  const specs = [
    ...options.map(optionSpec),
    ...positionals.map(
      (positional, index) => `${index + 1}:${positional.name}:${action(positional.value)}`,
    ),
  ]
  return `        ${name})
          _arguments \\
            ${specs.map(quote).join(' \\\n            ')} && ret=0
          ;;`
}

function optionSpec({ flag, value, description }: OptionDescription): string {
  const text = `[${description.replace(/[[\]\\]/g, '\\$&')}]`
  if (value === undefined) return `${flag}${text}`
  return `${flag}=${text}:${escapeColons(value.hint)}:${action(value)}`
}

function action({ kind, choices }: Value): string {
  if (kind === 'file') return '_files'
  return kind === 'choice' ? `(${choices.join(' ')})` : ' '
}

function escapeColons(text: string): string {
  return text.replace(/[\\:]/g, '\\$&')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
