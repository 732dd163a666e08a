/**
 * Makes a recording of a still picture of a terminal, as Python's `rich` draws it: every line
 * appears when it did, the first one character by character. Pure.
 *
 * By CSS alone, so that it works in an `<img>`, and for those only who want things to move: where
 * there is no animation the picture shows the end.
 *
 * @module
 */

import { stripVTControlCharacters } from 'node:util'
import type { Moment, Recording } from './recording.ts'

/** The end stays so long before it begins anew. */
const PAUSE_MS = 6_000

/** One piece of text in one colour. */
const PIECE =
  /<text class="(?<style>[^"]+)" x="(?<x>[\d.]+)" y="(?<y>[\d.]+)" textLength="(?<width>[\d.]+)" clip-path="url\(#agent-line-(?<line>\d+)\)">(?<content>[^<]*)<\/text>\n?/g

interface Piece {
  readonly style: string
  readonly x: number
  readonly y: string
  readonly width: number
  readonly line: number
  readonly content: string
}

/** @throws {Error} when a line of the picture is not in the recording */
export function animate(still: string, recording: Recording): string {
  const lines = timesOfLines(recording)
  const end = recording.moments.at(-1)?.atMs ?? 0
  const moments: number[] = []
  const classAt = (atMs: number) => {
    if (!moments.includes(atMs)) moments.push(atMs)
    return `agent-at-${moments.indexOf(atMs)}`
  }
  const moving = still.replaceAll(PIECE, (...match) => {
    const { x, width, line, ...rest } = match.at(-1) as Record<keyof Piece, string>
    const piece = { ...rest, x: Number(x), width: Number(width), line: Number(line) }
    if (piece.content.trim() === '') return '' // the ends of lines
    const times = lines[piece.line]
    if (times === undefined) throw new Error(`Line ${line} of the picture was not recorded`)
    const parts = piece.line === 0 ? charactersOf(piece) : [piece]
    return parts
      .map((part, at) => drawPiece(part, classAt(times[Math.min(at, times.length - 1)] ?? 0)))
      .join('')
  })
  const styles = `.agent-matrix { font-variant-ligatures: none }\n${rules(moments, end + PAUSE_MS)}`
  return moving.replace('</style>', () => `${styles}</style>`)
}

/** Of the first line the times of its characters, of every other line the time it was whole. */
function timesOfLines({ text, moments }: Recording): number[][] {
  const times: number[][] = []
  let length = 0
  for (const line of text.split('\n')) {
    const ends = [...line].map((_, at) => timeOf(length + at + 1, moments))
    const shown = stripVTControlCharacters(line).trimEnd().length
    times.push(times.length === 0 ? ends.slice(0, shown) : [ends.at(-1) ?? 0])
    length += line.length + 1
  }
  return times
}

function timeOf(length: number, moments: readonly Moment[]): number {
  return moments.find((moment) => moment.length >= length)?.atMs ?? 0
}

/** All characters of a terminal have one width. */
function charactersOf(piece: Piece): Piece[] {
  const characters = piece.content.match(/&#?\w+;|./g) ?? []
  const width = piece.width / characters.length
  return characters.map((content, at) => ({ ...piece, content, width, x: piece.x + at * width }))
}

function drawPiece({ style, x, y, width, line, content }: Piece, moment: string): string {
  return `<text class="${style} ${moment}" x="${round(x)}" y="${y}" textLength="${round(width)}" clip-path="url(#agent-line-${line})">${content}</text>\n`
}

function rules(moments: readonly number[], durationMs: number): string {
  const duration = `${round(durationMs / 1_000)}s`
  const each = moments.map((atMs, at) => {
    const name = `agent-at-${at}`
    const share = `${round((atMs / durationMs) * 100)}%`
    return `.${name} { animation: ${name} ${duration} step-end infinite }
@keyframes ${name} { 0% { opacity: 0 } ${share} { opacity: 1 } }`
  })
  return `@media (prefers-reduced-motion: no-preference) {\n${each.join('\n')}\n}\n`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
