import type { Logger } from '../../lib/log.ts'

/** What it is told at the levels that a person has to act on. */
export interface CollectingLogger extends Logger {
  readonly errors: string[]
  readonly warnings: string[]
}

export function collectingLogger(): CollectingLogger {
  const errors: string[] = []
  const warnings: string[] = []
  const ignore = () => undefined
  return {
    errors,
    warnings,
    debug: ignore,
    info: ignore,
    warn: (text) => void warnings.push(text),
    error: (text) => void errors.push(text),
  }
}
