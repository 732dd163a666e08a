import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLogger, formatJson, formatText, oneLine } from '../../lib/log.ts'

const test = suite('log')

function linesOf(message: string, job?: string): { text: string; json: string } {
  const [text = '', json = ''] = [formatText, formatJson].map((format) => {
    const entries: string[] = []
    createLogger({ write: (entry) => void entries.push(entry), format, job }).info(message)
    return entries.join('')
  })
  return { text: text.replace(/^\S+ /, ''), json }
}

test('control characters are escaped in every format, and the lines of a message kept', () => {
  const { text, json } = linesOf('a\x1b[2Jb\x9bc\rd\x00\u202e\ud800\u2028\ne\tf')

  const escaped = 'a\\u001b[2Jb\\u009bc\\u000dd\\u0000\\u202e\\ud800\\u2028'
  assert.is(text, `info  ${escaped}\n  e\tf\n`)
  assert.is(JSON.parse(json).message, `${escaped}\ne\tf`)
})

test('a value from outside stays on its line', () => {
  const { text } = linesOf(`key ${oneLine('a\n2026-01-01 info b\t')}`, 'x\ny')

  assert.is(text, 'info  [job x\\u000ay] key a\\u000a2026-01-01 info b\\u0009\n')
})

test.run()
