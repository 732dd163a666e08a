/**
 * A person at a terminal who types one command, recorded: what appears, and when.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { openHostTerminal } from '../../lib/terminal/host-terminal.ts'

export interface RecordOptions {
  readonly command: string
  readonly directory: string
  /** Where the command is found, before what is on `PATH` anyway. */
  readonly programs: string
  /** Width of the terminal, in characters. */
  readonly columns: number
}

/** All that appeared up to then, and nothing after. */
export interface Moment {
  /** Since the prompt stood there, in milliseconds. */
  readonly atMs: number
  /** Characters on the terminal so far. */
  readonly length: number
}

export interface Recording {
  /** As it came from the terminal, escape sequences included. */
  readonly text: string
  /** In the order of time. */
  readonly moments: readonly Moment[]
}

const PROMPT = '$ '

/** A quick typist. */
const KEY_MS = 55

/** Before the first key, and between the last one and Enter. */
const THINKING_MS = 500

const LIMIT_MS = 60_000
const POLL_MS = 20

/** @throws {Error} when the prompt is not there again within a minute */
export async function record(options: RecordOptions): Promise<Recording> {
  const { command, directory, programs, columns } = options
  const setUp = `PS1='${PROMPT}'; bind 'set enable-bracketed-paste off'; stty cols ${columns} rows 60`
  const terminal = openHostTerminal({
    file: '/bin/bash',
    args: ['--noprofile', '--norc', '-i'],
    environment: {
      PATH: `${programs}:${process.env['PATH']}`,
      HOME: directory,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      PROMPT_COMMAND: `${setUp}; unset PROMPT_COMMAND`,
    },
    directory,
  })
  let text = ''
  let beganAt = performance.now()
  const moments: Moment[] = []
  const read = async () => {
    const decoder = new TextDecoder()
    for await (const bytes of terminal.output) {
      text += decoder.decode(bytes, { stream: true })
      moments.push({ atMs: performance.now() - beganAt, length: text.length })
    }
  }
  const hasRead = read()
  const awaitPrompt = async (count: number) => {
    const deadline = performance.now() + LIMIT_MS
    while (text.split(PROMPT).length - 1 < count || !text.endsWith(PROMPT)) {
      if (performance.now() > deadline) throw new Error(`No prompt on the terminal: ${text}`)
      await sleep(POLL_MS)
    }
  }
  try {
    await awaitPrompt(1)
    beganAt = performance.now()
    moments.splice(0, moments.length, { atMs: 0, length: text.length })
    await sleep(THINKING_MS)
    for (const key of command) {
      terminal.write(key)
      await sleep(KEY_MS)
    }
    await sleep(THINKING_MS)
    terminal.write('\r')
    await awaitPrompt(2)
    return { text, moments: moments.slice() }
  } finally {
    process.kill(terminal.pid, 'SIGKILL')
    await Promise.all([terminal.exited, hasRead])
  }
}
