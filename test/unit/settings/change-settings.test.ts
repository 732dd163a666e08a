import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { changeSettings } from '../../../lib/settings/change-settings.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite('settings: change')

test('a new file has what is given, and the defaults', async () => {
  assert.is(
    await changeSettings('', { port: '1' }, { port: '2', host: 'h' }),
    'port: "1"\nhost: h\n',
  )
})

test('comments and other settings stay; defaults do not win over them; the secret goes', async () => {
  const before = '# mine\nport: 1 # low\nauth-token-secret: x\nhost: a\n'

  const after = await changeSettings(before, { port: '9' }, { host: 'b' })

  assert.is(after, '# mine\nport: "9" # low\nhost: a\n')
})

test('a file that is no mapping is refused, and its text not shown', async () => {
  for (const text of ['- secret\n', 'a: [secret', 'secret']) {
    const error = await rejection(changeSettings(text, {}, {}))

    assert.instance(error, ConfigError)
    assert.not.match(error.message, 'secret')
  }
})

test.run()
