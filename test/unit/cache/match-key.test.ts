/** Keys as regular expressions, harmless and not. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findMatch } from '../../../lib/cache/match-key.ts'
import { CacheError } from '../../../lib/errors.ts'

const test = suite('cache: matching keys')

const KEYS = ['gems-main-2', 'gems-main-1', 'Node-1', 'a+b']

test('the first that matches is taken, anywhere in it', () => {
  assert.is(findMatch('gems-main', KEYS), 'gems-main-2')
  assert.is(findMatch('main-1$', KEYS), 'gems-main-1')
  assert.is(findMatch('^ode', KEYS), undefined)
  assert.is(findMatch('(?i)node', KEYS), 'Node-1')
})

test('what is no expression matches nothing', () => {
  for (const pattern of ['[', '(', '*', 'a++', '(?z)x']) {
    assert.is(findMatch(pattern, KEYS), undefined, pattern)
  }
})

test('an expression that would take for ever is given up, and named', () => {
  assert.throws(
    () => findMatch('(x+x+)+y', ['x'.repeat(60)]),
    (error: unknown) => error instanceof CacheError && error.message.includes("'(x+x+)+y'"),
  )
})

test.run()
