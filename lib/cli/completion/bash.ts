/**
 * A completion script for bash 4.4 and newer.
 *
 * @module
 * @see bash(1), Programmable Completion
 */

import type { CommandDescription, ProgramDescription, Value } from '../definitions.ts'

export function renderBash({ name, commands }: ProgramDescription): string {
  const names = commands.map((command) => command.name).join(' ')
  return `# bash completion for ${name}

_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=
  ((COMP_CWORD > 1)) && command=\${COMP_WORDS[1]}
  # bash takes --flag=value for three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  case "$command $prev" in
${commands.flatMap((command) => valueCases(name, command)).join('\n')}
    *)
      case "$command" in
        '') _${name}_words '${names} help --help --version' ;;
        help) _${name}_words '${names}' ;;
${commands.map((command) => commandCase(name, command)).join('\n')}
      esac
      ;;
  esac
}

_${name}_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_${name}_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -F _${name} ${name}
`
}

function valueCases(program: string, { name, options }: CommandDescription): string[] {
  return options.flatMap(({ flag, value }) =>
    value === undefined ? [] : [`    '${name} ${flag}') ${complete(program, value)} ;;`],
  )
}

function commandCase(program: string, { name, positionals, options }: CommandDescription): string {
  const flags = `_${program}_words '${options.map(({ flag }) => flag).join(' ')}'`
  const [positional] = positionals
  if (positional === undefined) return `        ${name}) ${flags} ;;`
  const values = complete(program, positional.value)
  return `        ${name}) if [[ $cur == -* ]]; then ${flags}; else ${values}; fi ;;`
}

/** All further positional arguments are completed like the first. */
function complete(program: string, { kind, choices }: Value): string {
  if (kind === 'file') return `_${program}_files`
  return kind === 'choice' ? `_${program}_words '${choices.join(' ')}'` : ':'
}
