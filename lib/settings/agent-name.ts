/**
 * Names that a control plane takes for an agent.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'

/** The control plane's own rule. */
const ALLOWED = /^[a-zA-Z0-9_/+-]+$/

const MIN_CHARACTERS = 8
const MAX_CHARACTERS = 80

/** @returns whether the control plane finds the name behind this address itself: a signed call of AWS STS */
export function isUrl(name: string): boolean {
  return /^https?:\/\//i.test(name) && URL.canParse(name)
}

/** @param index of the agent, from 1. @returns the name itself for an agent that is alone */
export function nameOfAgent(name: string, index: number, agents: number): string {
  return agents === 1 ? name : `${name}-${index}`
}

/**
 * @param source where it was given
 * @param agents that are to share it, each with a number of its own
 * @throws {ConfigError} never with a URL, whose signature is a secret
 */
export function checkAgentName(source: string, name: string, agents: number): string {
  if (isUrl(name)) {
    if (agents === 1) return name
    throw new ConfigError(`${source}: a URL names one agent, and --agents is ${agents}`, {
      hint: 'Give a name, or one agent.',
    })
  }
  const longest = nameOfAgent(name, agents, agents)
  if (!ALLOWED.test(name)) {
    throw new ConfigError(
      `${source}: the control plane takes letters, digits and - _ / + in a name, or a URL`,
      { hint: 'Leave out other characters, e.g. build-box_1.' },
    )
  }
  if (longest.length >= MIN_CHARACTERS && longest.length <= MAX_CHARACTERS) return name
  throw new ConfigError(
    `${source}: expected ${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters, got ${longest.length}`,
    { hint: 'With several agents each gets a number at its end.' },
  )
}
