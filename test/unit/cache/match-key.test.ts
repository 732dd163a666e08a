/** Keys as regular expressions, harmless and not. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findMatch } from '../../../lib/cache/match-key.ts'
import { CacheError } from '../../../lib/errors.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('cache: matching keys')

const KEYS = ['gems-main-2', 'gems-main-1', 'Node-1', 'a+b']

test('the first that matches is taken, anywhere in it', async () => {
  assert.is(await findMatch('gems-main', KEYS), 'gems-main-2')
  assert.is(await findMatch('main-1$', KEYS), 'gems-main-1')
  assert.is(await findMatch('^ode', KEYS), undefined)
  assert.is(await findMatch('(?i)node', KEYS), 'Node-1')
})

test('what is no expression matches nothing', async () => {
  for (const pattern of ['[', '(', '*', 'a++', '(?z)x']) {
    assert.is(await findMatch(pattern, KEYS), undefined, pattern)
  }
})

test('an expression that would take for ever is given up, and named, while others are served', async () => {
  let turns = 0
  const others = setInterval(() => turns++, 1)

  const error = await rejection(findMatch('(x+x+)+y', ['x'.repeat(60)]))

  clearInterval(others)
  assert.instance(error, CacheError)
  assert.match(error.message, "'(x+x+)+y'")
  assert.ok(turns > 10)
})

test.run()
