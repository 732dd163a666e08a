/**
 * The shape of a job file as JSON Schema, by which editors complete and check one: generated from
 * the schema that the agent itself checks with. What that one says in code is left out, e.g. that
 * names of containers differ.
 *
 * @module
 */

import { type JsonSchema, type OverrideSchemaContext, toJsonSchema } from '@valibot/to-json-schema'
import { allowShortForm } from './json-schema-short.ts'
import { jobRequestSchema } from './schema.ts'
import { shapeOf } from './shapes.ts'

/** What editors show. Of a list's items, `[]` stands for all of them; see {@link kindOfPath}. */
export const DESCRIPTIONS: Readonly<Record<string, string>> = {
  job_id: 'Names the job; `agent run` makes one up. Required over HTTP',
  id: 'An older name of `job_id`',
  executor:
    '`shell` (the default): a login bash on this host. `dockercompose`: containers; the name is historical, no compose program is involved',
  commands: 'Run in order, in one shell, up to the first that fails',
  epilogue_always_commands: 'Run after the commands, whatever their result',
  epilogue_commands: 'An older name of `epilogue_always_commands`',
  epilogue_on_pass_commands: 'Run after those if the job has passed',
  epilogue_on_fail_commands: 'Run after those if the job has failed',
  env_vars: 'Exported in the shell of the job before the first command',
  files: 'Injected before the first command',
  file: 'An older name of `files`',
  ssh_public_keys: 'Who may get into the job: base64, each of one line of `authorized_keys`',
  timeout_in_seconds: 'The longest the job may take; 0 for no limit',
  no_output_timeout_in_seconds: 'The longest a command may print nothing; 0 for no limit',
  compose: 'What `dockercompose` needs',
  'compose.containers':
    'The first is the main one, in which the commands run; the others are services',
  'compose.containers[].name':
    'Its host name on the network of the job, which every other container reaches it by',
  'compose.containers[].image': 'A tag or a digest, in any registry',
  'compose.containers[].pull_policy': 'When the image is pulled; `if-not-present` by default',
  'compose.containers[].command':
    'Replaces the one of the image: a command line, split the way a shell splits it, or a list. That of the main container is the shell of the job',
  'compose.containers[].entrypoint': 'Replaces the one of the image, in the same forms',
  'compose.containers[].user': 'A name, `uid` or `uid:gid`',
  'compose.containers[].env_vars': 'Variables of this container only',
  'compose.containers[].files': 'Injected into this container before it starts',
  'compose.containers[].platform':
    'For example `linux/arm64`: the image for it is pulled unless it is the local one already',
  'compose.containers[].memory': 'The most memory it may use, for example `512m` or `2g`',
  'compose.containers[].cpus': 'The most processor time it may use, for example `0.5` or `2`',
  'compose.image_pull_credentials': 'Logins for private images',
  'compose.image_pull_credentials[].env_vars': '`DOCKER_CREDENTIAL_TYPE` and what that type needs',
  'compose.image_pull_credentials[].files': 'Key files, for `GCR`',
  'compose.host_setup_commands': 'Run with `bash -c` on the host, before anything else',
  callbacks: 'Whom to tell of the end of the job',
  'callbacks.finished': 'URL; receives `POST {"result": "passed"}`',
  'callbacks.teardown_finished': 'URL; receives `POST {}` once the log has been collected',
  'callbacks.token': 'Sent as `Authorization: Bearer` with both',
  logger: 'How the log reaches the control plane',
  'logger.method': '`pull`: the agent keeps the log and serves it; `push`: it sends it to `url`',
  'logger.url': 'Of `push`: where lines are posted',
  'logger.token': 'Of `push`: sent as `Authorization: Bearer`',
  'logger.max_size_in_bytes': 'The largest log the control plane wants',
  image: 'Of the container in which the commands run; without it they run on this host',
  services: 'Further containers: names and their images, or a list of containers',
  env: 'Variables of the job: names and their values, as they are',
  secrets: 'Names of variables of the environment of `agent run`, masked in the log',
  env_file: 'A file of variables, `NAME=value` on each line, relative to the job file',
  workdir:
    'A directory of this machine, in which the commands run, relative to the current one; mounted in the container',
  always: 'Run after the commands, whatever their result: `epilogue_always_commands`',
  on_pass: 'Run after those if the job has passed: `epilogue_on_pass_commands`',
  on_fail: 'Run after those if the job has failed: `epilogue_on_fail_commands`',
  timeout: 'The longest the job may take: `90s`, `20m`, `1h30m`',
  'compose.containers[].env':
    'Variables of this container only: names and their values, as they are',
  'command.run': 'The same as `directive`',
  'command.name': 'The same as `alias`',
  'command.directive': 'Bash, possibly many lines',
  'command.alias': 'Shown in the log instead of the directive',
  'variable.name': 'The name of the variable',
  'variable.value': 'Base64',
  'variable.secret':
    'Whether the value is masked in the log; by default if the name ends in `_TOKEN`, `_PASSWORD`, `_SECRET` or `_KEY`',
  'file.path': 'Absolute, or relative to the home directory, which `~/` also means',
  'file.content': 'Base64',
  'file.mode': 'Whatever `chmod` takes, such as `"0600"` or `+x`; `"0644"` by default',
  'file.secret': 'Whether the content is masked in the log',
  'file.file': 'In place of `content`: the path of a file, relative to the job file',
  'file.text': 'In place of `content`: the text itself',
}

/** Older names, which editors strike through. */
const DEPRECATED: ReadonlySet<string> = new Set(['epilogue_commands', 'file', 'id'])

/** Draft-07, which all editors know. */
export function jobFileSchema(): JsonSchema {
  const schema = toJsonSchema(jobRequestSchema, {
    typeMode: 'output',
    errorMode: 'ignore',
    overrideSchema: adapt,
  })
  delete schema.$defs
  allowShortForm(schema)
  describe(schema, '')
  const needsContainers = { required: ['containers'], properties: { containers: { minItems: 1 } } }
  const compose = { required: ['compose'], properties: { compose: needsContainers } }
  return {
    ...schema,
    title: 'A job of the agent',
    if: { required: ['executor'], properties: { executor: { const: 'dockercompose' } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { anyOf: [{ required: ['image'] }, compose] },
  }
}

/** Stricter than the agent in one point: an unknown key, which it ignores, is a slip of the pen. */
function adapt({ valibotSchema, jsonSchema }: OverrideSchemaContext): JsonSchema | undefined {
  switch (valibotSchema.type) {
    case 'lazy': // a command line, or a list
      return { type: ['string', 'array'], items: { type: 'string' } }
    case 'object':
      return { ...jsonSchema, additionalProperties: false }
    case 'optional': {
      const shape = shapeOf(valibotSchema)
      return orNull(
        shape?.kind === 'list' ? { ...jsonSchema, maxItems: shape.maxItems } : jsonSchema,
      )
    }
    default:
      return undefined
  }
}

/** A null counts as absent. */
function orNull({ type, enum: values, anyOf, ...rest }: JsonSchema): JsonSchema {
  return {
    ...rest,
    ...(type !== undefined && { type: [type, 'null'].flat() as JsonSchema['type'] }),
    ...(values !== undefined && { enum: [...values, null] }),
    ...(anyOf !== undefined && { anyOf: [...anyOf, { type: 'null' }] }),
  }
}

/** In a job file, unlike on the wire, `file: PATH` and `text` may stand for the content. */
function allowLocalFile(items: JsonSchema): void {
  const text: JsonSchema = { type: ['string', 'null'] }
  items.properties = { ...items.properties, file: { ...text }, text }
  items.required = items.required?.filter((key) => key !== 'content')
  items.oneOf = [{ required: ['content'] }, { required: ['file'] }, { required: ['text'] }]
}

function describe(schema: JsonSchema, path: string): void {
  const description = path.endsWith('[]') ? undefined : DESCRIPTIONS[kindOfPath(path)]
  if (description !== undefined) schema.description = description
  if (DEPRECATED.has(path)) Object.assign(schema, { deprecated: true })
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    describe(property as JsonSchema, path === '' ? key : `${path}.${key}`)
  }
  for (const items of [schema.items, schema.additionalProperties].flatMap(alternativesOf)) {
    if (kindOfPath(`${path}[]`) === 'file') allowLocalFile(items)
    describe(items, `${path}[]`)
  }
}

/** Of what is in a list or a mapping, those that have fields. */
function alternativesOf(schema: JsonSchema['items']): JsonSchema[] {
  if (typeof schema !== 'object' || Array.isArray(schema)) return []
  return [schema, ...(schema.anyOf ?? [])].filter(
    (it): it is JsonSchema => typeof it === 'object' && it.properties !== undefined,
  )
}

/** Commands, variables and files are the same wherever they are. */
export function kindOfPath(path: string): string {
  return path
    .replace(/^services\[\]/, 'compose.containers[]')
    .replace(/^.*(commands|always|on_pass|on_fail)\[\]/, 'command')
    .replace(/^.*env_vars\[\]/, 'variable')
    .replace(/^.*files?\[\]/, 'file')
}
