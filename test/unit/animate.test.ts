import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { animate } from '../readme/animate.ts'

const test = suite('readme: animated picture')

const piece = (line: number, content: string, width = 12 * content.length) =>
  `<text class="agent-r1" x="0" y="${20 * line + 20}" textLength="${width}" clip-path="url(#agent-line-${line})">${content}</text>`

/** As `rich` draws it: each end of a line is a piece of its own. */
const STILL = `<svg><style></style>${piece(0, '$ a&amp;', 48)}${piece(0, '\n')}
${piece(1, 'one')}${piece(1, '\n')}
${piece(2, 'two')}${piece(2, '\n')}
</svg>`

const RECORDING = {
  text: '$ a&\r\n\x1b[1mone\x1b[22m\r\ntwo\r\n',
  moments: [
    { atMs: 0, length: 2 },
    { atMs: 100, length: 3 },
    { atMs: 200, length: 4 },
    { atMs: 1_000, length: 20 },
    { atMs: 4_000, length: 25 },
  ],
}

/** The share of the time after which that text is there, in percent. */
function momentOf(svg: string, content: string): number {
  const name = new RegExp(`class="agent-r1 (agent-at-\\d+)"[^>]*>${content}<`).exec(svg)?.[1]
  const rule = new RegExp(`@keyframes ${name} { 0% { opacity: 0 } ([\\d.]+)% { opacity: 1 } }`)
  return Number(rule.exec(svg)?.[1])
}

test('characters of the first line and whole other lines appear when they did, then it rests', () => {
  const svg = animate(STILL, RECORDING)

  assert.match(svg, / 10s step-end infinite /)
  const moments = ['\\$', 'a', '&amp;', 'one', 'two'].map((content) => momentOf(svg, content))
  assert.equal(moments, [0, 1, 2, 10, 40])
})

test('characters keep their places, and ends of lines are left out', () => {
  const svg = animate(STILL, RECORDING)

  assert.match(svg, /x="36" y="20" textLength="12" clip-path="url\(#agent-line-0\)">&amp;</)
  assert.is(svg.match(/<text/g)?.length, 6)
})

test('a picture of something else is refused', () => {
  assert.throws(() => animate(STILL, { ...RECORDING, text: '$ a' }), 'Line 1 of the picture')
})

test.run()
