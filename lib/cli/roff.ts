/**
 * Renders the description of a program as a manual page. Pure.
 *
 * @module
 * @see man(7) for the macros, groff_char(7) for the escapes
 */

import type { CommandDescription, ProgramDescription } from './definitions.ts'

export interface Edition {
  readonly version: string
  /** `2026-01-31` */
  readonly date: string
}

const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  [
    'SEMAPHORE_AGENT_*',
    'Every setting of a command: the flag --kept-logs is SEMAPHORE_AGENT_KEPT_LOGS. A flag takes precedence over it, and it over the file of --config-file.',
  ],
  [
    'DOCKER_HOST',
    "unix:///path/to/docker.sock when the engine's socket is not /var/run/docker.sock",
  ],
  ['NO_COLOR, FORCE_COLOR', 'No colours at all; colours even without a terminal'],
  ['HTTP_PROXY, HTTPS_PROXY, NO_PROXY', 'Proxies for calls to other servers, such as callbacks'],
  ['TMPDIR', 'Where jobs on this host keep their temporary files, instead of /tmp'],
]

export function renderManPage(
  { name, summary, commands }: ProgramDescription,
  { version, date }: Edition,
): string {
  const lines = [
    `.TH ${name.toUpperCase()} 1 ${date} "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${name} \\- ${escapeText(lowerFirst(summary.replace(/\.$/, '')))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap(({ synopsis }, index) => [
      ...(index === 0 ? [] : ['.br']),
      `.B ${escapeText(synopsis)}`,
    ]),
    '.SH COMMANDS',
    ...commands.flatMap(renderCommand),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([variable, meaning]) => renderItem(variable, meaning)),
  ]
  return `${lines.join('\n')}\n`
}

function renderCommand({ synopsis, summary, positionals, options, notes }: CommandDescription) {
  return [
    `.SS ${escapeText(synopsis)}`,
    ...fill(summary),
    ...positionals.flatMap((positional) => renderItem(positional.name, positional.description)),
    ...options.flatMap(({ flag, value, description }) =>
      renderItem(value === undefined ? flag : `${flag} ${value.hint}`, description),
    ),
    ...(notes === '' ? [] : ['.PP', '.nf', ...notes.split('\n').map(escapeText), '.fi']),
  ]
}

function renderItem(term: string, text: string): string[] {
  return ['.TP', `.B ${escapeText(term)}`, ...fill(text)]
}

/** Text that the reader's terminal wraps, in short source lines. */
function fill(text: string): string[] {
  return (text.match(/\S.{0,69}(?=\s|$)/g) ?? []).map(escapeText)
}

function lowerFirst(text: string): string {
  return text.replace(/^./, (first) => first.toLowerCase())
}

/** Characters that groff would treat as quotes or replace by typographical variants. */
const GLYPHS: Readonly<Record<string, string>> = {
  '"': '\\(dq',
  "'": '\\(aq',
  '’': '\\(cq',
  '^': '\\(ha',
  '`': '\\(ga',
  '~': '\\(ti',
}

/** No character of the text acts as markup; hyphens can still be copied and searched. */
function escapeText(line: string): string {
  const text = line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/["'’^`~]/g, (character) => GLYPHS[character] ?? character)
    .replaceAll('…', '...')
  return text.startsWith('.') ? `\\&${text}` : text
}
