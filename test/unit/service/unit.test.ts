import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandIn, renderUnit, userIn } from '../../../lib/service/unit.ts'

const test = suite('service: unit')

const unitWith = (change: object) =>
  renderUnit({
    ...{ command: 'serve', agentPath: '/usr/local/bin/agent', user: 'root', stopTimeoutMs: 90_500 },
    ...change,
  })

test('the program is one word for systemd, whatever its path', () => {
  const execOf = (agentPath: string) => /^ExecStart=(.*) serve /m.exec(unitWith({ agentPath }))?.[1]

  assert.is(execOf('/usr/local/bin/agent'), '/usr/local/bin/agent')
  assert.is(execOf('/opt/my ci/agent'), '"/opt/my ci/agent"')
  assert.is(execOf('/opt/50%/$HOME/agent'), '"/opt/50%%/$HOME/agent"')
  for (const path of ["/opt/it's/agent", '/opt/"ci"/agent', '/opt/a\\b/agent', '/opt/a\nb/agent']) {
    assert.throws(() => execOf(path), /systemd runs no program with such characters/)
  }
})

test('a control group can be made for each job, by any user', () => {
  assert.match(unitWith({ user: 'ci' }), /^Delegate=yes$/m)
})

test('only root can speak in the name of another process', () => {
  assert.match(unitWith({}), /^NotifyAccess=main\nUser=root$/m)
  assert.match(unitWith({ user: 'ci' }), /^NotifyAccess=all\nUser=ci$/m)
})

test('the script that leads into jobs is the service user’s from the start', () => {
  const preOf = (user: string) => /^ExecStartPre=.*$/m.exec(unitWith({ user }))?.[0]

  assert.is(preOf('root'), undefined)
  assert.match(preOf('ci') ?? '', /^ExecStartPre=\+-\/bin\/sh -c '.* && chown "\$\$1" .*' sh "ci"$/)
  assert.match(preOf('CORP%$ci') ?? '', / sh "CORP%%\$\$ci"$/)
})

test('the user of a unit can be read back, whatever its name', () => {
  for (const user of ['root', 'ci', 'CORP%ci']) assert.is(userIn(unitWith({ user })), user)
  assert.is(userIn(''), undefined)
})

test('an agent that calls is not started again when it is refused, and has no way in', () => {
  const unit = unitWith({ command: 'start', user: 'ci' })

  assert.match(
    unit,
    /^ExecStart=\/usr\/local\/bin\/agent start --config-file \/etc\/agent\/agent.yaml$/m,
  )
  assert.match(unit, /^RestartPreventExitStatus=2$/m)
  assert.match(unit, 'interruption-grace-period')
  assert.not.match(unit, 'ExecReload')
  assert.not.match(unit, 'ExecStartPre')
  assert.not.match(unitWith({}), 'RestartPrevent')
  for (const command of ['serve', 'start']) assert.is(commandIn(unitWith({ command })), command)
  assert.is(commandIn(''), undefined)
})

test('systemd waits longer than the agent does', () => {
  assert.match(unitWith({}), /^TimeoutStopSec=91$/m)
})

test.run()
