/**
 * The checks that are programs of their own (linter, type check, build, test environment): each
 * counts as one test.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import type { FileResult } from './run-file.ts'

export interface Check {
  readonly name: string
  /** Of the project's own packages, or a script for its Node. */
  readonly command: readonly [program: string, ...args: string[]]
  readonly limitMs: number
}

export const LINT: Check = {
  name: 'linter',
  command: ['biome', 'check', '--error-on-warnings', '.'],
  limitMs: 60_000,
}

export const TYPES: Check = { name: 'type check', command: ['tsc', '-p', '.'], limitMs: 120_000 }

export const BUILD: Check = { name: 'build', command: ['node', 'build.mjs'], limitMs: 180_000 }

export const ENVIRONMENT: Check = {
  name: 'test environment',
  command: ['node', 'test/setup/setup.ts'],
  limitMs: 900_000,
}

/** Started for the suites of container jobs, and stopped after them. */
export const NEWER_ENGINE: Check = {
  name: 'newer engine',
  command: ['node', 'test/setup/newer-engine.ts', 'start'],
  limitMs: 300_000,
}

export const NEWER_ENGINE_END: Check = {
  name: 'newer engine, its end',
  command: ['node', 'test/setup/newer-engine.ts', 'stop'],
  limitMs: 60_000,
}

export function runCheck({ name, command, limitMs }: Check): Promise<FileResult> {
  const started = performance.now()
  const [program, ...args] = command
  const packages = join(process.cwd(), 'node_modules', '.bin')
  const child = spawn(program === 'node' ? process.execPath : join(packages, program), args, {
    env: {
      ...process.env,
      PATH: `${dirname(process.execPath)}:${packages}:${process.env['PATH']}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) =>
      resolve({
        file: name,
        passed: code === 0 ? 1 : 0,
        failed: code === 0 ? 0 : 1,
        problems: signal === null ? [] : [`was killed by ${signal}; its limit is ${limitMs} ms`],
        output,
        durationMs: performance.now() - started,
      }),
    )
  })
}
