/**
 * A person's terminal that passes everything on as it is, both ways.
 *
 * @module
 */

import { execFileSync } from 'node:child_process'

/** The part of `process.stdin` that matters here. */
export interface Keyboard {
  setRawMode?(on: boolean): unknown
}

/** stty asks the kernel one thing. */
const LIMIT_MS = 5_000

/**
 * By `stty`, which every Linux has: Node's own raw mode still turns each line feed on its way out
 * into two characters, and programs that paint the whole screen move down by line feeds alone.
 * Where `stty` is missing after all, Node's has to do.
 *
 * @returns how to make it as it was; repeatable
 */
export function makeRaw(keyboard: Keyboard): () => void {
  try {
    const before = stty('-g').trim()
    stty('raw', '-echo')
    return () => {
      try {
        stty(before)
      } catch {
        // The terminal itself is gone.
      }
    }
  } catch {
    keyboard.setRawMode?.(true)
    return () => void keyboard.setRawMode?.(false)
  }
}

/** Of the terminal this process reads from. */
function stty(...args: string[]): string {
  return execFileSync('stty', args, {
    stdio: ['inherit', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: LIMIT_MS,
  })
}
