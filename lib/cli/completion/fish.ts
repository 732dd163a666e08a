/**
 * A completion script for fish.
 *
 * @module
 * @see https://fishshell.com/docs/current/cmds/complete.html
 */

import type {
  CommandDescription,
  OptionDescription,
  ProgramDescription,
  Value,
} from '../definitions.ts'

export function renderFish({ name, commands }: ProgramDescription): string {
  const first = `complete -c ${name} -n __fish_use_subcommand`
  const names = commands.map((command) => command.name).join(' ')
  return `# fish completion for ${name}

function __${name}_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test "$words[2]" = "$argv[1]"
end

complete -c ${name} -f
${first} -l help -d 'Show help for the agent'
${first} -l version -d 'Print the version'
${commands.map((command) => `${first} -a ${command.name} -d ${quote(command.summary)}`).join('\n')}
${first} -a help -d 'Show help for a command'
complete -c ${name} -n '__${name}_command help' -a '${names}'
${commands.flatMap((command) => commandLines(name, command)).join('\n')}
`
}

function commandLines(
  program: string,
  { name, positionals, options }: CommandDescription,
): string[] {
  const start = `complete -c ${program} -n '__${program}_command ${name}'`
  return [
    ...positionals.flatMap(({ value }) =>
      value.kind === 'text' ? [] : [`${start} ${valueArguments(value)}`],
    ),
    ...options.map((option) => `${start} ${optionArguments(option)}`),
  ]
}

function optionArguments({ flag, value, description }: OptionDescription): string {
  const args = `-l ${flag.replace(/^--/, '')} -d ${quote(description)}`
  return value === undefined ? args : `${args} -r ${valueArguments(value)}`.trimEnd()
}

function valueArguments({ kind, choices }: Value): string {
  if (kind === 'file') return '-F'
  return kind === 'choice' ? `-f -a '${choices.join(' ')}'` : '-f'
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
