import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../../lib/events/event.ts'
import { BlockWriter } from '../../../lib/job/block.ts'
import { Masking } from '../../../lib/masking/masking.ts'

const test = suite('job: block')

async function outputsOf(
  write: (block: BlockWriter) => void,
  masking = new Masking(),
): Promise<string[]> {
  const events: JobEvent[] = []
  const block = new BlockWriter(
    { write: async (event) => void events.push(event) },
    'title',
    masking,
  )
  await block.start()
  write(block)
  await block.finish(0)
  return events.flatMap((event) => (event.event === 'cmd_output' ? [event.output] : []))
}

test("lines of the agent's own are events of their own, output between them stays together", async () => {
  const outputs = await outputsOf((block) => {
    void block.push('one\n')
    void block.push('two\n')
    void block.push(Buffer.from('a'))
    void block.push(Buffer.from('b\n'))
    void block.push('three\n')
    void block.push(Buffer.from('c'))
  })

  assert.equal(outputs, ['one\n', 'two\n', 'ab\n', 'three\n', 'c'])
})

test('what a line interrupts is written before it, as far as it got', async () => {
  const outputs = await outputsOf((block) => {
    void block.push(Buffer.from([0x61, 0x0d]))
    void block.push('line\n')
    void block.push(Buffer.from([0xe2, 0x82]))
    void block.push('line\n')
  })

  assert.equal(outputs, ['a\r', 'line\n', '\ufffd\ufffd', 'line\n'])
})

test('a line with the text of a job in it follows the rules of output', async () => {
  const outputs = await outputsOf((block) => void block.push('Running: a\r\nb\ud800\r\n'))

  assert.equal(outputs, ['Running: a\nb\ufffd\n'])
})

test('what may be the beginning of a secret is shown when nothing follows, and masked when it does', async () => {
  const masking = new Masking()
  masking.add(Buffer.from('hunter22'))
  const events: JobEvent[] = []
  const seen = Promise.withResolvers<void>()
  const sink = {
    write: (event: JobEvent) => {
      events.push(event)
      if (event.event === 'cmd_output' && event.output.endsWith('h')) seen.resolve()
    },
  }
  const block = new BlockWriter(sink, 'title', masking)
  await block.start()
  void block.push(Buffer.from('Path'))
  void block.push(Buffer.from(' or h'))
  await seen.promise
  void block.push(Buffer.from('unter22, hun'))
  void block.push('line of hunter22\n')
  await block.finish(0)

  const outputs = events.flatMap((event) => (event.event === 'cmd_output' ? [event.output] : []))
  assert.is(outputs.slice(0, -2).join(''), 'Path or h')
  assert.equal(outputs.slice(-2), ['[secret], hun', 'line of [secret]\n'])
})

test.run()
