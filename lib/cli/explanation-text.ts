/**
 * What a job would do, as text for people. Pure.
 *
 * @module
 */

import type { Explanation, ImageUse } from '../job/explanation.ts'

type Row = readonly string[]

export function renderExplanation(explanation: Explanation): string {
  const { runs_in, network, containers, mounts, variables, files, order } = explanation
  const where = runs_in === 'host' ? 'on this host' : 'in containers'
  const sections: ReadonlyArray<readonly [title: string, rows: readonly Row[]]> = [
    ['Images', explanation.images.map(imageRow)],
    ['Containers', containers.map((it) => [it.name, it.role, it.image, listOf(it)])],
    ['Network', network ? [['one of its own, removed with the job']] : []],
    ['Mounts', mounts.map(({ source, target }) => [source, `at ${target}`])],
    ['Variables', variables.map(({ name, from }) => [name, `from the ${from}`])],
    ['Files', files.map(({ path, mode, bytes }) => [path, `mode ${mode}`, `${bytes} bytes`])],
    ['Order', order.map(({ when, what }, index) => [`${index + 1}`, when, lineOf(what)])],
    ['Masked in the log', explanation.masked.map((name) => [name])],
    ['Ignored', explanation.ignored.map((what) => [what])],
  ]
  const texts = sections
    .filter(([, rows]) => rows.length > 0)
    .map(([title, rows]) => {
      return `\n${title}:\n${renderRows(rows)}`
    })
  return `The job would run ${where}. Nothing has been started.\n${texts.join('')}`
}

function imageRow({ image, present, digest, pull_policy: policy }: ImageUse): Row {
  const state =
    present === undefined ? 'unknown: the engine does not answer' : present ? 'present' : 'missing'
  const willPull = policy === 'always' || (policy === 'if-not-present' && present === false)
  return [image, `${state}${willPull ? ', to be pulled' : ''}`, digest ?? '']
}

function listOf({
  variables,
  files,
}: {
  variables: readonly string[]
  files: readonly string[]
}): string {
  return [...variables, ...files].join(', ')
}

/** Its first line, with an ellipsis if there are more. */
function lineOf(text: string): string {
  const [first = '', ...others] = text.split('\n')
  return `${first.replace(/\p{Cc}/gu, ' ')}${others.length === 0 ? '' : ' …'}`
}

function renderRows(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => {
    return Math.max(...rows.map((row) => row[column]?.length ?? 0))
  })
  return rows
    .map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}
