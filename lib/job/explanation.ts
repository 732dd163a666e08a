/**
 * What a job would do, for `agent explain`. Pure.
 *
 * @module
 */

import type { ImageInfo } from '../docker/images.ts'
import type {
  Command,
  ContainerRequest,
  EncodedFile,
  EncodedVariable,
  JobRequest,
} from '../request/job-request.ts'
import type { HostFile, JobConfig } from '../settings/job-config.ts'
import { isMasked } from './job-secrets.ts'

export interface Explanation {
  readonly job: string
  readonly runs_in: 'containers' | 'host'
  readonly images: readonly ImageUse[]
  readonly containers: readonly ContainerUse[]
  /** Created for the job, and removed with it. */
  readonly network: boolean
  readonly mounts: readonly HostFile[]
  readonly variables: readonly VariableUse[]
  readonly files: readonly FileUse[]
  readonly order: readonly StepUse[]
  /** Names of variables and paths of files. */
  readonly masked: readonly string[]
  readonly ignored: readonly string[]
}

export interface ImageUse {
  readonly image: string
  /** Undefined when the engine could not be asked. */
  readonly present: boolean | undefined
  readonly digest: string | undefined
  readonly pull_policy: string
}

export interface ContainerUse {
  readonly name: string
  readonly image: string
  readonly role: 'main' | 'service'
  readonly variables: readonly string[]
  readonly files: readonly string[]
}

export interface VariableUse {
  readonly name: string
  readonly from: 'container' | 'host setting' | 'image' | 'request'
}

export interface FileUse {
  readonly path: string
  readonly mode: string
  readonly bytes: number
}

export interface StepUse {
  readonly when: string
  readonly what: string
}

export interface Circumstances {
  readonly config: JobConfig
  readonly mounts: readonly HostFile[]
  /** By their names; undefined when the engine could not be asked. */
  readonly images: ReadonlyMap<string, ImageInfo | undefined> | undefined
}

export function explainJob(request: JobRequest, around: Circumstances): Explanation {
  const { config, mounts, images } = around
  const containers = request.compose?.containers ?? []
  const given = variablesOfShell(request, around)
  const effective = new Map(given.map((variable) => [variable.name, variable]))
  const isInContainers = containers.length > 0
  return {
    job: request.id,
    runs_in: isInContainers ? 'containers' : 'host',
    images: uniqueImages(containers).map(({ image, pullPolicy }) => ({
      image,
      present: images === undefined ? undefined : images.get(image) !== undefined,
      digest: images?.get(image)?.digest,
      pull_policy: pullPolicy,
    })),
    containers: containers.map(({ name, image, envVars, files }, index) => ({
      name,
      image,
      role: index === 0 ? 'main' : 'service',
      variables: envVars.map((variable) => variable.name),
      files: files.map(({ path }) => path),
    })),
    network: isInContainers,
    mounts: isInContainers ? [...config.hostFiles, ...mounts] : [],
    variables: [...effective.values()],
    files: request.files.map(({ path, mode, content }) => ({ path, mode, bytes: sizeOf(content) })),
    order: orderOf(request, config),
    masked: maskedIn(request, config),
    ignored: [
      ...request.unknownKeys.map((key) => `unknown key ${key}`),
      ...given
        .filter((variable) => effective.get(variable.name) !== variable)
        .map(({ name, from }) => `${name} of the ${from}: replaced by a later one`),
      ...(isInContainers
        ? []
        : config.hostFiles.map(({ source }) => `--files ${source}: for containers`)),
    ],
  }
}

function uniqueImages(containers: readonly ContainerRequest[]): readonly ContainerRequest[] {
  return containers.filter(({ image }, index) => {
    return containers.findIndex((other) => other.image === image) === index
  })
}

/** Of two with the same name the later one counts. */
function variablesOfShell(request: JobRequest, { config, images }: Circumstances): VariableUse[] {
  const [main] = request.compose?.containers ?? []
  const ofImage = main === undefined ? [] : (images?.get(main.image)?.variables ?? [])
  const named = (variables: readonly EncodedVariable[]) => variables.map(({ name }) => name)
  return [
    ...ofImage.map((name) => ({ name, from: 'image' }) as const),
    ...named(main?.envVars ?? []).map((name) => ({ name, from: 'container' }) as const),
    ...named(config.hostVariables).map((name) => ({ name, from: 'host setting' }) as const),
    ...named(request.envVars).map((name) => ({ name, from: 'request' }) as const),
  ]
}

function orderOf(request: JobRequest, config: JobConfig): StepUse[] {
  const { preJobHookPath, postJobHookPath } = config
  const steps = (when: string, commands: readonly Command[]) =>
    commands.map(({ alias, directive }) => ({ when, what: alias ?? directive.trim() }))
  const hook = (when: string, path: string | undefined) =>
    path === undefined ? [] : [{ when, what: path }]
  return [
    ...steps('first, on the host', request.compose?.hostSetupCommands ?? []),
    ...hook('before the commands', preJobHookPath),
    ...steps('command', request.commands),
    ...steps('always', request.epilogueAlways),
    ...steps('if passed', request.epilogueOnPass),
    ...steps('if failed', request.epilogueOnFail),
    ...hook('at the end', postJobHookPath),
  ]
}

function maskedIn(
  request: JobRequest,
  { hostVariables, jobEnvironment, maskByName }: JobConfig,
): string[] {
  const { containers = [], imagePullCredentials = [] } = request.compose ?? {}
  const parts = [request, ...containers, ...imagePullCredentials]
  const inherited = Object.entries(jobEnvironment).map(([name, value]) => ({
    name,
    value: Buffer.from(value).toString('base64'),
  }))
  const variables: EncodedVariable[] = [
    ...parts.flatMap(({ envVars }) => envVars),
    ...hostVariables,
    ...inherited,
  ]
  const files: EncodedFile[] = parts.flatMap((part) => part.files)
  return [
    ...new Set([
      ...variables.filter((variable) => isMasked(variable, maskByName)).map(({ name }) => name),
      ...files.filter(({ secret }) => secret === true).map(({ path }) => path),
    ]),
  ].sort()
}

function sizeOf(content: string): number {
  return Buffer.from(content, 'base64').length
}
