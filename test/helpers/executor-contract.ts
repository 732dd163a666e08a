/** What lib/executors/executor.ts promises, asked of an executor of any kind. */

import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Executor, RunOptions } from '../../lib/executors/executor.ts'
import { rejection } from './rejection.ts'

/** All that is run here: for an executor that only does what it has been told. */
export const DIRECTIVES = {
  show: 'printf "<%s>" "$CONTRACT"',
  fail: '(exit 3)',
  read: 'cat ~/contract/file',
  exit: 'exit 4',
  wait: 'echo waiting; sleep 1000',
  trap: "trap 'printf bye' EXIT",
} as const

const CONTENT = Buffer.from('in the file').toString('base64')
const FILE = { path: 'contract/file', content: CONTENT, mode: '0644' }

/** @param create one that has not been prepared; called once for each test */
export function promiseContract<Context>(
  test: Test<Context>,
  create: (context: Context) => Executor,
): void {
  const claim = (text: string, check: (job: JobOfContract) => Promise<void>) =>
    test(text, async (context) => {
      const job = new JobOfContract(create(context))
      try {
        await check(job)
      } finally {
        await job.executor.dispose()
      }
    })

  claim('dispose may be called before prepare, and again', async ({ executor }) => {
    assert.is(await executor.describeProcesses(new AbortController().signal), '')
    await executor.dispose()
    await executor.dispose()
  })

  claim('prepare rejects with the reason of a stop that came before it', async (job) => {
    job.stop()

    assert.is(await rejection(job.prepare()), job.reason)
  })

  claim('a command that fails is a result, and the shell goes on', async (job) => {
    await job.prepare()

    assert.equal(await job.run(DIRECTIVES.fail), { exitCode: 3, shellExited: false })
    assert.equal(await job.run(DIRECTIVES.show), { exitCode: 0, shellExited: false })
    assert.is(job.output, '<>')
  })

  claim(
    'variables reach commands, also in the shell that replaces one that has ended',
    async (job) => {
      await job.prepare()
      const variables = [{ name: 'CONTRACT', value: Buffer.from('a b') }]

      assert.is(await job.executor.exportVariables(variables, job.options), 0)
      assert.equal(await job.run(DIRECTIVES.exit), { exitCode: 4, shellExited: true })
      await job.run(DIRECTIVES.show)

      assert.is(job.output, '<a b>')
    },
  )

  claim('files are announced and written in order, up to the first that fails', async (job) => {
    await job.prepare()
    const files = [FILE, { ...FILE, mode: 'none' }, { ...FILE, path: 'never' }]

    assert.is.not(await job.executor.injectFiles(files, job.options), 0)
    await job.run(DIRECTIVES.read)

    assert.is(
      job.output,
      `Injecting contract/file with file mode 0644
Injecting contract/file with file mode none
Failed to set file mode to none
in the file`,
    )
  })

  claim('the end of the shell runs its EXIT trap', async (job) => {
    await job.prepare()
    await job.run(DIRECTIVES.trap)

    assert.is(await job.executor.endShell(job.options), 0)

    assert.is(job.output, 'bye')
  })

  claim(
    'a stop ends the command, which resolves with its last output; nothing runs after it',
    async (job) => {
      await job.prepare()
      const running = job.run(DIRECTIVES.wait)
      await job.printed('waiting')
      assert.is.not(await job.executor.describeProcesses(new AbortController().signal), '')

      job.stop()

      assert.is.not((await running).exitCode, 0)
      assert.is(await rejection(job.run(DIRECTIVES.show)), job.reason)
    },
  )
}

class JobOfContract {
  readonly executor: Executor
  readonly reason = new Error('stopped')
  readonly #stop = new AbortController()
  readonly #waiting: (() => void)[] = []
  output = ''

  constructor(executor: Executor) {
    this.executor = executor
  }

  get options(): RunOptions {
    return {
      signal: this.#stop.signal,
      onOutput: (output) => {
        this.output += Buffer.from(output).toString().replaceAll('\r\n', '\n')
        for (const look of this.#waiting) look()
      },
    }
  }

  stop(): void {
    this.#stop.abort(this.reason)
  }

  async prepare(): Promise<void> {
    const isReady = await this.executor.prepare({
      signal: this.#stop.signal,
      directives: Object.values(DIRECTIVES),
      block: async (_title, work) => (await work(() => undefined)) === 0,
    })
    assert.ok(isReady)
  }

  async run(directive: string) {
    const { exitCode, shellExited } = await this.executor.run(directive, this.options)
    return { exitCode, shellExited }
  }

  async printed(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = () => this.output.includes(text) && resolve()
      this.#waiting.push(look)
      look()
    })
  }
}
