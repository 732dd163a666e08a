import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Shutdown, type ShutdownPhase } from '../../../lib/supervisor/shutdown.ts'

const PHASES: readonly ShutdownPhase[] = [
  'draining',
  'collectionDeadline',
  'forcedStop',
  'callbackDeadline',
  'done',
]

const test = suite('supervisor: shutdown')

test('a phase implies those before it, and none after it', () => {
  for (const [index, phase] of PHASES.entries()) {
    const shutdown = new Shutdown()

    shutdown.enter(phase)

    assert.equal(entered(shutdown), PHASES.slice(0, index + 1))
  }
})

test('an earlier phase is not entered again', () => {
  const shutdown = new Shutdown()
  shutdown.enter('forcedStop')

  shutdown.enter('draining')

  assert.equal(entered(shutdown), PHASES.slice(0, 3))
})

test('entering a phase aborts its signal once', () => {
  const shutdown = new Shutdown()
  let aborts = 0
  shutdown.at('draining').addEventListener('abort', () => aborts++)

  shutdown.enter('draining')
  shutdown.enter('draining')

  assert.is(aborts, 1)
})

function entered(shutdown: Shutdown): readonly ShutdownPhase[] {
  return PHASES.filter((phase) => shutdown.at(phase).aborted)
}

test.run()
