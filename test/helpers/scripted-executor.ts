/** An executor without any process: directives do what a test says, by their text. */

import type {
  Executor,
  OnOutput,
  PrepareOptions,
  RunOptions,
  RunResult,
  Variable,
} from '../../lib/executors/executor.ts'
import { planFile } from '../../lib/executors/injection.ts'
import type { EncodedFile } from '../../lib/request/job-request.ts'

/** What a directive finds. */
export interface ScriptedShell {
  readonly variables: ReadonlyMap<string, string>
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Resolves when the job is stopped. */
  readonly stopped: Promise<void>
  print(text: string): Promise<void>
  /** Prints that text when the shell ends as it should. */
  trapExit(text: string): void
}

/** @returns exit code, or `exit` and the code with which the shell itself ends */
export type ScriptedDirective = (
  shell: ScriptedShell,
) => Promise<number | { readonly exit: number }>

const HOME = '/home/scripted'

export class ScriptedExecutor implements Executor {
  readonly files = new Map<string, Uint8Array>()
  readonly variables = new Map<string, string>()
  readonly #directives: Readonly<Record<string, ScriptedDirective>>
  readonly #stopped = Promise.withResolvers<void>()
  #running = ''
  #exitTrap: string | undefined
  #phase: 'new' | 'ready' | 'disposed' = 'new'

  /** @param directives a text that is none of them is a mistake of the test */
  constructor(directives: Readonly<Record<string, ScriptedDirective>>) {
    this.#directives = directives
  }

  get isDisposed(): boolean {
    return this.#phase === 'disposed'
  }

  async prepare({ signal }: PrepareOptions): Promise<boolean> {
    signal.throwIfAborted()
    signal.addEventListener('abort', () => this.#stopped.resolve(), { once: true })
    this.#phase = 'ready'
    return true
  }

  async exportVariables(variables: readonly Variable[], { signal }: RunOptions): Promise<number> {
    this.#requireReady(signal)
    for (const { name, value } of variables) {
      this.variables.set(name, Buffer.from(value).toString())
    }
    return 0
  }

  async injectFiles(
    files: readonly EncodedFile[],
    { signal, onOutput }: RunOptions,
  ): Promise<number> {
    this.#requireReady(signal)
    for (const file of files) {
      await onOutput(`Injecting ${file.path} with file mode ${file.mode}\n`)
      const planned = planFile(file, HOME)
      if (typeof planned === 'string') {
        await onOutput(`${planned}\n`)
        return 1
      }
      this.files.set(planned.path, planned.content)
    }
    return 0
  }

  async run(directive: string, { signal, onOutput }: RunOptions): Promise<RunResult> {
    this.#requireReady(signal)
    const perform = this.#directives[directive]
    if (perform === undefined) throw new RangeError(`nothing is scripted for "${directive}"`)
    this.#running = directive
    const end = await perform(this.#shell(onOutput))
    this.#running = ''
    if (typeof end !== 'number') this.#exitTrap = undefined
    return typeof end === 'number'
      ? { exitCode: end, shellExited: false }
      : { exitCode: end.exit, shellExited: true }
  }

  async describeProcesses(): Promise<string> {
    return this.#phase === 'ready' ? `scripted ${this.#running}\n` : ''
  }

  async endShell({ onOutput }: RunOptions): Promise<number> {
    if (this.#exitTrap !== undefined) await onOutput(Buffer.from(this.#exitTrap))
    return 0
  }

  async dispose(): Promise<void> {
    this.#phase = 'disposed'
  }

  #shell(onOutput: OnOutput): ScriptedShell {
    return {
      variables: this.variables,
      files: this.files,
      stopped: this.#stopped.promise,
      print: async (text) => onOutput(Buffer.from(text)),
      trapExit: (text) => {
        this.#exitTrap = text
      },
    }
  }

  #requireReady(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (this.#phase !== 'ready') throw new RangeError('the executor has not been prepared')
  }
}
