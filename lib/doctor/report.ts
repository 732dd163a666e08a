/**
 * Findings as a table for people, and as JSON for programs. Pure.
 *
 * @module
 */

import { styleText } from 'node:util'
import { type Area, type Finding, overallState, type State } from '../checks/check.ts'
import { EXECUTOR_KINDS } from '../executors/registry.ts'

const TITLES: readonly (readonly [Area, string])[] = [
  ['machine', 'This machine'],
  ...EXECUTOR_KINDS.map(({ name, title }) => [name, title] as const),
  ['serve', 'Serving (agent serve)'],
  ['start', 'Calling a control plane (agent start)'],
]

type Style = Parameters<typeof styleText>[0]

const STYLES: Readonly<Record<State, Style>> = {
  ok: 'green',
  warning: ['yellow', 'bold'],
  problem: ['red', 'bold'],
}

const STATE_COLUMNS = 'problem'.length

export function renderTable(
  findings: readonly Finding[],
  { colours }: { readonly colours: boolean },
): string {
  const style = (how: Style, text: string) =>
    colours ? styleText(how, text, { validateStream: false }) : text
  const width = Math.max(...findings.map(({ subject }) => subject.length))
  const row = ({ state, subject, message, remedy }: Finding) => {
    const mark = style(STYLES[state], state.padEnd(STATE_COLUMNS))
    const line = `  ${mark}  ${subject.padEnd(width)}  ${message}\n`
    const indent = ' '.repeat(STATE_COLUMNS + width + 6)
    return remedy === undefined ? line : `${line}${indent}${style('dim', `→ ${remedy}`)}\n`
  }
  const sections = TITLES.map(([area, title]) => {
    const rows = findings.filter((finding) => finding.area === area).map(row)
    return rows.length === 0 ? '' : `${style('bold', title)}\n${rows.join('')}\n`
  })
  return `${sections.join('')}${summary(findings)}\n`
}

export function renderJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ state: overallState(findings), findings }, undefined, 2)}\n`
}

function summary(findings: readonly Finding[]): string {
  const count = (state: State) => findings.filter((finding) => finding.state === state).length
  const parts = [
    plural(count('problem'), 'problem'),
    plural(count('warning'), 'warning'),
    `${count('ok')} ok`,
  ]
  return parts.join(', ')
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
