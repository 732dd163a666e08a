/**
 * Every error the agent raises on purpose. A user reads `message` (what failed, with the value)
 * and `hint` (what to do next); a program switches on `code`; a developer follows `cause`.
 *
 * @module
 */

/** Stable: listed in lib/doctor/README.md, never renamed, never given a second meaning. */
export type ErrorCode =
  | 'ERR_AWS_FAILED'
  | 'ERR_CACHE_FAILED'
  | 'ERR_CLEANUP_FAILED'
  | 'ERR_CONFIG_INVALID'
  | 'ERR_CONTAINER_FAILED'
  | 'ERR_CONTENT_INVALID'
  | 'ERR_CONTROL_PLANE_FAILED'
  | 'ERR_DOCKER_REFUSED'
  | 'ERR_DOCKER_UNREACHABLE'
  | 'ERR_DOCKER_VERSION'
  | 'ERR_FILE_UNREADABLE'
  | 'ERR_IMAGE_PULL_FAILED'
  | 'ERR_JOB_LOG_FAILED'
  | 'ERR_JOB_NOT_RUNNING'
  | 'ERR_NAME_TAKEN'
  | 'ERR_OUTPUT_FAILED'
  | 'ERR_REGISTRATION_REFUSED'
  | 'ERR_REQUEST_INVALID'
  | 'ERR_SERVICE_FAILED'
  | 'ERR_SHELL_FAILED'
  | 'ERR_STATE_UNUSABLE'
  | 'ERR_TERMINAL_MISSING'

/** Base class. Only subclasses are thrown, so `code` always names the case. */
export abstract class AgentError extends Error {
  abstract readonly code: ErrorCode
  readonly hint: string

  constructor(message: string, { hint, cause }: { hint: string; cause?: unknown }) {
    super(withoutLogins(message), { cause })
    this.name = new.target.name
    this.hint = withoutLogins(hint)
  }
}

/** One thing wrong with a document: `commands[2].directive: expected a string`. */
export interface Problem {
  /** JSON path of the field, e.g. `compose.containers[0].image`; empty for the document itself. */
  readonly path: string
  /** What was expected, and what was found where that helps. Never the value of a secret. */
  readonly message: string
  /** Of a file: its name, line and column, `job.yaml:3:5`. */
  readonly place?: string
}

/** The request cannot be served as sent. Nothing has been started. */
export class RequestError extends AgentError {
  readonly code = 'ERR_REQUEST_INVALID'
  readonly problems: readonly Problem[]

  constructor(
    problems: readonly Problem[],
    hint = 'Correct what is named above and send the request again.',
  ) {
    super(problems.map(describeProblem).join('\n'), { hint })
    this.problems = problems
  }
}

/** The document is well formed, but something inside it cannot be used, e.g. it is not base64. */
export class ContentError extends AgentError {
  readonly code = 'ERR_CONTENT_INVALID'
}

/** A flag, an environment variable or the configuration file has a value that cannot be used. */
export class ConfigError extends AgentError {
  readonly code = 'ERR_CONFIG_INVALID'
}

/** A file the user named cannot be read. */
export class FileError extends AgentError {
  readonly code = 'ERR_FILE_UNREADABLE'
}

/** The job's shell did not start, or does not answer. */
export class ShellError extends AgentError {
  readonly code = 'ERR_SHELL_FAILED'
}

/** The shell lives, and could not be given a command: the next one may be more fortunate. */
export class UndeliveredError extends ShellError {}

/** This host has nothing that gives a shell a terminal. */
export class TerminalMissingError extends AgentError {
  readonly code = 'ERR_TERMINAL_MISSING'
}

/** The file under a job's log can no longer be written or read. */
export class JobLogError extends AgentError {
  readonly code = 'ERR_JOB_LOG_FAILED'
}

/** What a command prints, or its file, cannot be written. */
export class OutputError extends AgentError {
  readonly code = 'ERR_OUTPUT_FAILED'
}

/** Somebody wants something of a job that is not there, or not there any more. */
export class JobNotRunningError extends AgentError {
  readonly code = 'ERR_JOB_NOT_RUNNING'
}

/** The agent could not be made a service of this machine, or not be taken away again. */
export class ServiceError extends AgentError {
  readonly code = 'ERR_SERVICE_FAILED'
}

/** The directory in which the agent keeps what must outlive it cannot be used. */
export class StateError extends AgentError {
  readonly code = 'ERR_STATE_UNUSABLE'
}

/** Nothing answers on the engine's socket, or it stopped answering in the middle of a call. */
export class DockerUnreachableError extends AgentError {
  readonly code = 'ERR_DOCKER_UNREACHABLE'
  /** The engine may have done what it was asked, and only its answer is missing. */
  readonly mayHaveActed: boolean

  constructor(
    socketPath: string,
    cause: unknown,
    {
      reason,
      mayHaveActed,
      hint = 'Start the Docker Engine, or set DOCKER_HOST=unix://… if its socket is elsewhere.',
    }: { reason: string; mayHaveActed: boolean; hint?: string | undefined },
  ) {
    super(`Docker does not answer on ${socketPath}: ${reason}`, { hint, cause })
    this.mayHaveActed = mayHaveActed
  }
}

/** The engine answered, and said no. */
export class DockerRefusedError extends AgentError {
  readonly code = 'ERR_DOCKER_REFUSED'
  readonly status: number
  /** The engine's own words. */
  readonly reason: string

  constructor(action: string, status: number, reason: string, hint: string) {
    super(`Docker refused to ${action}: ${reason} (HTTP ${status})`, { hint })
    this.status = status
    this.reason = withoutLogins(reason)
  }
}

/** The engine and the agent have no version of the Engine API in common. */
export class DockerVersionError extends AgentError {
  readonly code = 'ERR_DOCKER_VERSION'
}

/** An image could not be pulled. */
export class ImagePullError extends AgentError {
  readonly code = 'ERR_IMAGE_PULL_FAILED'
  /** Whether another try may succeed. */
  readonly transient: boolean

  constructor(
    message: string,
    { transient = false, ...rest }: { transient?: boolean; hint: string; cause?: unknown },
  ) {
    super(message, rest)
    this.transient = transient
  }
}

/** A container did not start, ended early, or never became ready. */
export class ContainerError extends AgentError {
  readonly code = 'ERR_CONTAINER_FAILED'
}

/** AWS gave no login for its registries, or could not be reached. */
export class AwsError extends AgentError {
  readonly code = 'ERR_AWS_FAILED'
  /** Whether another try may succeed. */
  readonly transient: boolean

  constructor(
    message: string,
    { transient = false, ...rest }: { transient?: boolean; hint: string; cause?: unknown },
  ) {
    super(message, rest)
    this.transient = transient
  }
}

/** What a job has made is still there, and named; it can be removed by hand. */
export class CleanupError extends AgentError {
  readonly code = 'ERR_CLEANUP_FAILED'
}

/** Something could not be stored in the cache, or not be taken out again. */
export class CacheError extends AgentError {
  readonly code = 'ERR_CACHE_FAILED'
}

/** A call to the control plane had no answer, or another one than the agent needs. */
export class ControlPlaneError extends AgentError {
  readonly code = 'ERR_CONTROL_PLANE_FAILED'
  /** Of the answer. Absent when there was none, or its status was right. */
  readonly status: number | undefined

  constructor(
    message: string,
    { status, ...rest }: { status?: number; hint: string; cause?: unknown },
  ) {
    super(message, rest)
    this.status = status
  }
}

/** The control plane does not take this agent, and will not another time. */
export class RegistrationRefusedError extends AgentError {
  readonly code = 'ERR_REGISTRATION_REFUSED'
}

/** Another agent has the name, and did not give it up. */
export class NameTakenError extends AgentError {
  readonly code = 'ERR_NAME_TAKEN'
}

/** `path: message`, behind its place in a file; the message alone when the whole document is meant. */
export function describeProblem({ path, message, place }: Problem): string {
  return [place, path, message].filter((part) => part !== undefined && part !== '').join(': ')
}

/** `user:password@` in a URL, e.g. of a proxy. Bounded: what is searched may be long. */
const LOGIN = /([a-z][a-z\d+.-]{0,20}:\/\/)[^\s/?#:@[]{0,200}:(?!\d+[/?#])[^\s"'<>]{0,500}@/gi

/** For every text that somebody may read: the password of a proxy or a server is nobody's business. */
export function withoutLogins(text: string): string {
  return text.replace(LOGIN, '$1***@')
}

/** The message of what was thrown. */
export function messageOf(error: unknown): string {
  return withoutLogins(error instanceof Error ? error.message : String(error))
}

/** The message with the code at the end of its first line; the others may quote a document. */
export function withCode({ message, code }: AgentError): string {
  return message.replace(/$/m, ` [${code}]`)
}

/** What failed and what to do about it, without the causes and in one line: for a job's log. */
export function toLine(error: unknown): string {
  const text = messageOf(error)
  const whole = error instanceof AgentError ? `${text}. ${error.hint} [${error.code}]` : text
  return whole.replaceAll(/\s*\n\s*/g, ' ')
}

/** The whole cause chain, outermost first, one line a link: for the agent's own log. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return messageOf(error)
  const line =
    error instanceof AgentError
      ? `${withCode(error)} ${error.hint}`
      : `${error.name}: ${messageOf(error)}`
  return error.cause === undefined ? line : `${line}\n  caused by: ${explain(error.cause)}`
}
