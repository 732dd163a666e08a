import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createToken, formatLine, LINE } from '../../../lib/shell/marks.ts'

const test = suite('shell: the typed line')

const TOKEN = createToken()
const CHECK = TOKEN.slice(0, LINE.check.length)
const STEP = { status: 3, file: 'directive-12', stty: '/usr/bin/stty' }

test('what is usual fits the short form', () => {
  const line = formatLine(TOKEN, LINE.short, STEP)

  assert.is(line.trimEnd().length, LINE.short)
  assert.match(line, new RegExp(`^${CHECK}003/usr/bin/stty\\|directive-12 +\\.$`))
})

test('what does not fit asks for the long form, and fits that', () => {
  const step = { ...STEP, file: `/var/tmp/agent-job-${'f'.repeat(16)}/directive-12` }

  assert.match(formatLine(TOKEN, LINE.short, step), new RegExp(`^${CHECK}003 +,$`))
  assert.is(formatLine(TOKEN, LINE.short, step).length, LINE.short)
  assert.match(formatLine(TOKEN, LINE.long, step), /^.{7}\/usr\/bin\/stty\|\/var\/tmp\/\S+ +\.$/)
  assert.is(formatLine(TOKEN, LINE.long, step).length, LINE.long)
})

test('a path that is too long for both is refused', () => {
  const step = { ...STEP, file: '/x'.repeat(LINE.long / 2) }

  assert.throws(() => formatLine(TOKEN, LINE.long, step), /cannot be typed/)
})

test.run()
