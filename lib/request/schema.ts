/**
 * The shape of a job request on the wire (see lib/request/README.md). What it lets through is typed;
 * every objection is worded by {@link expected}.
 *
 * @module
 */

import * as v from 'valibot'
import { parseCpus, parseMemory } from './limits.ts'
import { expected, list, optionalRecord, record } from './shapes.ts'
import { splitCommand } from './split-command.ts'

const DEFAULT_FILE_MODE = '0644'

/** What compose allows, as far as name servers can be asked for it: see RFC 1035, section 2.3.4. */
const CONTAINER_NAME = /^(?=.{1,253}$)[A-Za-z0-9][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63})*$/

/** Programs take these for an address, and ask no name server: `ping 5432`. @see man 3 inet_aton */
const ADDRESS = /^(?:\d+|0x[0-9a-f]*)(?:\.(?:\d+|0x[0-9a-f]*)){0,3}$/i

/** What `/etc/hosts` of every container says already. */
const TAKEN_NAMES =
  /^(?:localhost|ip6-(?:localhost|loopback|localnet|mcastprefix|allnodes|allrouters))$/i

const PLATFORM = /^linux\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/

/** What an HTTP header can carry of a bearer token (RFC 6750, section 2.1, and then some). */
const TOKEN = /^[\x21-\x7e]+$/

/** Of lists whose items are large themselves. */
export const MAX_CONTAINERS = 100
const MAX_NESTED_ITEMS = 1_000

/** Percent-encoded it still fits in the head of any request. */
const MAX_ID_CHARACTERS = 1_024

/** Longer strings than this are not worth repeating in a message. */
const MAX_SHOWN_CHARACTERS = 60

/** As {@link expected}, for fields that are never secret: repeats a number or a short string. */
function expectedValue(what: string) {
  return ({ input }: { readonly input: unknown }): string => {
    const isShort = typeof input === 'string' && input.length <= MAX_SHOWN_CHARACTERS
    if (!isShort && typeof input !== 'number') return expected(what)({ input })
    return `expected ${what}, got ${JSON.stringify(input)}`
  }
}

function text(what = 'a string') {
  return v.string(expected(what))
}

function filledText(what: string) {
  return v.pipe(text(what), v.nonEmpty(expected(what)))
}

/** Clients written in Go send the empty string for what they do not set. */
function optionalText(what = 'a string') {
  return v.pipe(
    v.optional(text(what)),
    v.transform((value) => value || undefined),
  )
}

/** Under which the job's log has a URL: clients normalize dots, and encode nothing that is ill-formed. */
function optionalId() {
  const what = `an id of at most ${MAX_ID_CHARACTERS} characters, without control characters, not "." or ".."`
  return v.pipe(
    optionalText(),
    v.check((id) => id === undefined || isId(id), `expected ${what}`),
  )
}

function isId(text: string): boolean {
  return (
    text.length <= MAX_ID_CHARACTERS &&
    text.isWellFormed() &&
    !/^\.\.?$/.test(text) &&
    !/\p{Cc}/u.test(text)
  )
}

function optionalUrl() {
  return v.pipe(
    optionalText('an http:// or https:// URL'),
    v.check(
      (value) => value === undefined || isHttpUrl(value),
      'expected an http:// or https:// URL',
    ),
  )
}

function isHttpUrl(value: string): boolean {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '')
}

/** A command line, or its arguments already split; nothing in it means the image's own. */
function optionalCommand() {
  return v.optional(v.lazy((input) => (Array.isArray(input) ? wordList : commandLine)))
}

type WordsSchema = v.GenericSchema<unknown, readonly string[] | undefined>

const wordList: WordsSchema = v.pipe(
  v.array(text()),
  v.transform((argv) => noneIfEmpty(argv)),
)

const commandLine: WordsSchema = v.pipe(
  text('a string or a list of strings'),
  v.check(
    (line) => splitCommand(line) !== undefined,
    'expected a command line, got one that ends within quotes or after a backslash',
  ),
  v.transform((line) => noneIfEmpty(splitCommand(line) ?? [])),
)

function noneIfEmpty(argv: readonly string[]): readonly string[] | undefined {
  return argv.length === 0 ? undefined : argv
}

const command = record({ directive: text(), alias: optionalText() })

const secret = v.optional(v.boolean(expected('true or false')))

const variable = record({
  name: filledText('the name of a variable'),
  value: text('a string of base64'),
  secret,
})

const file = record({
  path: v.pipe(
    filledText('a path'),
    v.check((path) => !path.includes('\0'), 'expected a path, got one with a NUL byte'),
  ),
  content: text('a string of base64'),
  mode: v.pipe(
    v.optional(text('a string in quotes, such as "0644"'), DEFAULT_FILE_MODE),
    v.transform((mode) => mode || DEFAULT_FILE_MODE),
  ),
  secret,
})

/** The empty string and 0 are how clients written in Go leave a field out. */
function optionalAmount(what: string, parse: (value: number | string) => number | undefined) {
  return v.pipe(
    v.optional(v.union([v.string(), v.number()], expected(what))),
    v.transform((value) => value || undefined),
    v.check((value) => value === undefined || parse(value) !== undefined, expectedValue(what)),
    v.transform((value) => (value === undefined ? undefined : parse(value))),
  )
}

/** null and 0 are none, as for other fields that clients written in Go leave out. */
function optionalSeconds() {
  const message = expectedValue('a whole number of seconds, 0 or more')
  return v.pipe(
    v.optional(v.pipe(v.number(message), v.safeInteger(message), v.minValue(0, message))),
    v.transform((value) => value || undefined),
  )
}

const containerName = v.pipe(
  text(),
  v.regex(
    CONTAINER_NAME,
    expectedValue(
      'a host name of letters, digits, "-", "_" and ".", the first a letter or digit, up to 63 between two dots and 253 in all',
    ),
  ),
  v.check(
    (name) => !ADDRESS.test(name),
    expectedValue('a host name that does not look like an address'),
  ),
  v.check(
    (name) => !TAKEN_NAMES.test(name),
    expectedValue('a host name that has no other meaning in a container'),
  ),
)

const container = record({
  name: containerName,
  image: filledText('the name of an image'),
  pull_policy: v.optional(
    v.picklist(
      ['', 'if-not-present', 'always', 'never'],
      expectedValue('"if-not-present", "always" or "never"'),
    ),
  ),
  command: optionalCommand(),
  entrypoint: optionalCommand(),
  user: optionalText(),
  env_vars: list(variable, MAX_NESTED_ITEMS),
  files: list(file, MAX_NESTED_ITEMS),
  platform: v.pipe(
    optionalText(),
    v.check(
      (platform) => platform === undefined || PLATFORM.test(platform),
      expectedValue('a platform such as "linux/arm64"'),
    ),
  ),
  memory: optionalAmount('an amount of memory of 6m or more, such as "512m" or "2g"', parseMemory),
  cpus: optionalAmount('a number of processors, such as 2 or 0.5', parseCpus),
})

const credential = record({
  env_vars: list(variable, MAX_NESTED_ITEMS),
  files: list(file, MAX_NESTED_ITEMS),
})

const compose = optionalRecord({
  containers: list(container, MAX_CONTAINERS),
  image_pull_credentials: list(credential, MAX_CONTAINERS),
  host_setup_commands: list(command, MAX_NESTED_ITEMS),
})

function optionalToken() {
  return v.pipe(
    optionalText(),
    v.check(
      (token) => token === undefined || TOKEN.test(token),
      'expected a token without blanks, line breaks and non-ASCII characters',
    ),
  )
}

const callbacks = optionalRecord({
  finished: optionalUrl(),
  teardown_finished: optionalUrl(),
  token: optionalToken(),
})

const logger = optionalRecord({
  method: optionalText(),
  url: optionalUrl(),
  token: optionalToken(),
  max_size_in_bytes: v.optional(
    v.pipe(
      v.number(expected('a number')),
      v.integer('expected a whole number'),
      v.minValue(0, 'expected 0 or more'),
    ),
  ),
})

export const jobRequestSchema = record(
  {
    job_id: optionalId(),
    id: optionalId(),
    executor: v.optional(
      v.picklist(['', 'shell', 'dockercompose'], expectedValue('"shell" or "dockercompose"')),
    ),
    commands: list(command),
    epilogue_always_commands: list(command),
    epilogue_commands: list(command),
    epilogue_on_pass_commands: list(command),
    epilogue_on_fail_commands: list(command),
    env_vars: list(variable),
    files: list(file),
    file: list(file),
    ssh_public_keys: list(text('a string of base64'), MAX_NESTED_ITEMS),
    timeout_in_seconds: optionalSeconds(),
    no_output_timeout_in_seconds: optionalSeconds(),
    compose,
    callbacks,
    logger,
  },
  'an object with the fields of a job',
)

/** A request whose shape is right, still with the names of the wire. */
export type WireRequest = v.InferOutput<typeof jobRequestSchema>
