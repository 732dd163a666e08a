/**
 * One job, as asked for: what the rest of the agent works on once a document has been checked.
 *
 * Base64 stays encoded in here: undecodable content is the job author's mistake and belongs in the
 * job's log, not in the refusal of the request (see lib/request/README.md).
 *
 * @module
 */

export type ExecutorName = 'shell' | 'dockercompose'

/** One directive: possibly many lines of bash. */
export interface Command {
  readonly directive: string
  /** Shown in the log instead of the directive. */
  readonly alias?: string | undefined
}

export interface EncodedVariable {
  readonly name: string
  /** base64, line breaks tolerated. */
  readonly value: string
  /** Whether it is masked in logs; absent = if its name is one of a secret. */
  readonly secret?: boolean | undefined
}

export interface EncodedFile {
  readonly path: string
  /** base64, line breaks tolerated. */
  readonly content: string
  /** What `chmod` takes: `0644`, `+x`. */
  readonly mode: string
  /** Whether its content is masked in logs. */
  readonly secret?: boolean | undefined
}

/** When a container's image is pulled. */
export type PullPolicy = 'always' | 'if-not-present' | 'never'

export interface ContainerRequest {
  /** The name by which every other container of the job reaches it. */
  readonly name: string
  readonly image: string
  readonly pullPolicy: PullPolicy
  /** Already split into arguments as a shell splits them; absent = the image's own. */
  readonly command?: readonly string[] | undefined
  readonly entrypoint?: readonly string[] | undefined
  readonly user?: string | undefined
  readonly envVars: readonly EncodedVariable[]
  /** For this container, before it starts. */
  readonly files: readonly EncodedFile[]
  /** `linux/arm64`; absent = the engine's own. */
  readonly platform?: string | undefined
  /** Absent = no limit. */
  readonly memoryBytes?: number | undefined
  /** Of processor time, 0.5 = half a processor; absent = no limit. */
  readonly cpus?: number | undefined
}

export interface PullCredential {
  readonly envVars: readonly EncodedVariable[]
  readonly files: readonly EncodedFile[]
}

export interface Compose {
  /** At least one; the first is the main container, the others are services. */
  readonly containers: readonly ContainerRequest[]
  readonly imagePullCredentials: readonly PullCredential[]
  readonly hostSetupCommands: readonly Command[]
}

export interface Callbacks {
  readonly finished?: string | undefined
  readonly teardownFinished?: string | undefined
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
}

/** How the job's log gets to the control plane. */
export interface LoggerRequest {
  readonly method: string
  /** Of `push`. */
  readonly url?: string | undefined
  /** Of `push`: sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
  readonly maxSizeInBytes?: number | undefined
}

export interface JobRequest {
  readonly id: string
  readonly executor: ExecutorName
  readonly commands: readonly Command[]
  readonly epilogueAlways: readonly Command[]
  readonly epilogueOnPass: readonly Command[]
  readonly epilogueOnFail: readonly Command[]
  readonly envVars: readonly EncodedVariable[]
  readonly files: readonly EncodedFile[]
  /** Each the base64 of one authorized_keys line. */
  readonly sshPublicKeys: readonly string[]
  /** Absent = no limit; the host's owner may have set one. */
  readonly timeoutInSeconds?: number | undefined
  readonly noOutputTimeoutInSeconds?: number | undefined
  /** Present exactly when `executor` is `dockercompose`. */
  readonly compose?: Compose | undefined
  readonly callbacks: Callbacks
  readonly logger: LoggerRequest
  /** Paths of keys this agent does not know, for its own log. */
  readonly unknownKeys: readonly string[]
}
