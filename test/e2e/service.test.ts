/** The agent as a service of a machine run by systemd, from its installation to its removal. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TlsMaterial } from '../../lib/http/listen.ts'
import { DROP_INS_PATH } from '../../lib/service/unit.ts'
import { fingerprintOf } from '../../lib/tls/certificate.ts'
import { runAgent } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { startHub } from '../helpers/hub.ts'
import {
  install,
  isAlive,
  mainPid,
  submit,
  whenLogged,
  whenReplaced,
} from '../helpers/installed-agent.ts'
import { type Machine, startMachine } from '../helpers/machine.ts'
import { eventsIn, outputIn } from '../helpers/served-agent.ts'
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE } from '../unit/http/certificates.ts'

interface Context {
  machine: Machine
  /** Files of the machine before anything was installed. */
  files: string
}

const test = suite<Context>('service')

const SHOW_CERTIFICATE =
  'openssl s_client -connect localhost:8443 </dev/null 2>&1 | openssl x509 -noout -fingerprint -sha256'

/** Of what nobody but the system itself writes to. */
const LIST_FILES = `find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /var/log -o -path /var/lib/systemd -o -name 'systemd-private-*' \\) -prune -o -print | grep -v '^/etc/[a-z]*-$' | sort`

test.before(async (t) => {
  t.machine = await startMachine()
  await t.machine.ask('cp /given/agent /usr/local/bin/agent')
  t.files = await t.machine.ask(LIST_FILES)
})

test.after(async ({ machine }) => {
  await machine.remove()
})

test('the unit can be looked at without root and without systemd', async () => {
  const { code, stdout } = await runAgent(['install', '--dry-run', '--user', 'ci'])

  assert.is(code, 0)
  assert.match(stdout, /^User=ci$/m)
  assert.match(stdout, /^ExecStart=\S+\/agent serve --config-file \/etc\/agent\/agent.yaml$/m)
})

test('without systemd, or with settings that cannot be used, nothing is changed', async ({
  machine,
  files,
}) => {
  const here = await runAgent(['install'])
  const wrong = await machine.run(
    'agent install --port many; agent install --user "a b"; agent install --user 1000; agent install --state-dir ""',
  )

  assert.is(here.code, 2)
  assert.match(here.stderr, 'not run by systemd')
  assert.is(wrong.code, 2)
  assert.match(wrong.output, '--port: expected a port')
  assert.match(wrong.output, '--user: expected the name of a user, got "a b"')
  assert.match(wrong.output, '--user: expected the name of a user, got "1000"')
  assert.match(wrong.output, '--state-dir: expected a value, got none')
  assert.is(await machine.ask(LIST_FILES), files)
})

test('installed, it runs jobs over HTTPS, now and after each boot', async ({ machine }) => {
  const said = await install(machine)
  const id = await submit(machine, 'id -un; env | grep -cE "NOTIFY|WATCHDOG|SECRET"; pwd')
  const log = await whenLogged(machine, id, 'job_finished')

  assert.match(said, 'The service is running')
  assert.match(outputIn(log), 'root\n0\n/root\n')
  assert.is(
    await machine.ask('systemctl is-active agent; systemctl is-enabled agent'),
    'active\nenabled',
  )
  assert.is(
    await machine.ask('stat -c "%a %U" /etc/agent/secret /etc/agent/agent.yaml /var/lib/agent'),
    '600 root\n600 root\n700 root',
  )
})

test('who has forgotten sudo is told so, also where a service is there', async ({ machine }) => {
  const asNobody = 'setpriv --reuid=65534 --clear-groups agent'
  const { code, output } = await machine.run(`${asNobody} install --port 8443`)
  const shown = await machine.run(`${asNobody} install --dry-run`)

  assert.is(code, 2)
  assert.match(
    output,
    'agent install changes the system, which needs root [ERR_CONFIG_INVALID]\nRun sudo',
  )
  assert.match(shown.output, 'sudo agent install --dry-run')
})

test('doctor looks at the service that is installed', async ({ machine }) => {
  const { findings } = JSON.parse(await machine.ask('agent doctor --format json'))

  const messageOf = (wanted: string) =>
    findings.find(({ subject }: { subject: string }) => subject === wanted)?.message
  assert.is(messageOf('settings'), 'those in /etc/agent/agent.yaml can be used')
  assert.is(messageOf('secret'), 'is given')
  assert.match(messageOf('port'), ':8443 is already in use by an agent')
})

test('doctor tells of little memory, and how a job gets its terminal where no file may run', async (t) => {
  const examine = async (before: string) => {
    const { output } = await t.machine.run(`${before} agent doctor --no-color`)
    return (subject: string) => new RegExp(`^ *(\\w+) +${subject} .*\n.*`, 'm').exec(output)?.[0]
  }
  const small = await examine('systemd-run --quiet --pipe --wait -p MemoryMax=200M')
  await t.machine.ask('chmod 755 /tmp /var/tmp /dev/shm')
  const nobody = 'HOME=/nonexistent setpriv --reuid=65534 --clear-groups'
  const withScript = await examine(nobody)
  const withNothing = await examine(`mv /usr/bin/script /usr/bin/no-script; ${nobody}`)
  await t.machine.ask('chmod 1777 /tmp /var/tmp /dev/shm; mv /usr/bin/no-script /usr/bin/script')

  assert.match(small('memory') ?? '', /warning .* of 200 MiB\n +→ Free some memory/)
  assert.match(withScript('disk') ?? '', /problem .*no file can be created in \/tmp/)
  assert.match(withScript('terminal') ?? '', /ok .*by \/usr\/bin\/script/)
  assert.is(withScript('login'), undefined) // what it needs is told by the others
  assert.match(withNothing('terminal') ?? '', /problem .*no "script" program\n +→ Make \/tmp/)
})

test('a certificate in /etc/agent is used, and a reload reads it anew', async ({ machine }) => {
  const write = async ({ cert, key }: TlsMaterial) =>
    await machine.ask(`cd /etc/agent && echo '${cert}' >server.crt && echo '${key}' >server.key`)
  const isServed = async ({ cert }: TlsMaterial) =>
    await waitFor(async () => {
      const { output } = await machine.run(SHOW_CERTIFICATE)
      return output.includes(fingerprintOf(`${cert}`))
    }, 'the certificate is served')

  await write(FIRST_CERTIFICATE)
  await machine.ask('systemctl restart agent')
  await isServed(FIRST_CERTIFICATE)
  const before = await mainPid(machine)
  await write(SECOND_CERTIFICATE)
  await machine.ask('systemctl reload agent')
  await isServed(SECOND_CERTIFICATE)

  assert.is(await mainPid(machine), before)
  await machine.ask('rm /etc/agent/server.*; systemctl restart agent')
})

test('told to restart, it lets its job end, and the next process has its log', async ({
  machine,
}) => {
  const before = await mainPid(machine)
  const id = await submit(
    machine,
    'echo ready; until [ -e /tmp/go ]; do sleep 0.05; done',
    'echo through',
  )
  await whenLogged(machine, id, '"ready\\n"')

  await machine.ask('systemctl restart --no-block agent')
  await waitFor(
    async () => (await machine.ask('systemctl show -P ActiveState agent')) === 'deactivating',
    'the service is asked to stop',
  )
  await machine.ask('touch /tmp/go')
  await whenReplaced(machine, before)
  const log = await whenLogged(machine, id, 'job_finished')

  assert.match(log, '"result":"passed"')
  assert.match(outputIn(log), 'through\n')
})

test('a job ends by the settings that there are now, not by those of the installation', async (t) => {
  const { machine } = t
  await machine.ask(`mkdir -p /run/systemd/system/agent.service.d
printf '[Service]\\nTimeoutStopSec=1\\n' >/run/systemd/system/agent.service.d/test.conf
systemctl daemon-reload`)
  const id = await submit(machine, 'until [ -e /tmp/ask ]; do sleep 0.05; done; sleep 3; echo over')

  await machine.ask('systemctl restart --no-block agent')
  await waitFor(
    async () => (await machine.ask('systemctl show -P ActiveState agent')) === 'deactivating',
    'the service is asked to stop',
  )
  await machine.ask('touch /tmp/ask')
  const log = await whenLogged(machine, id, 'job_finished')
  await machine.ask('rm -r /run/systemd/system/agent.service.d && systemctl daemon-reload')

  assert.match(log, '"result":"passed"')
  assert.match(outputIn(log), /^over\n/m)
  await waitFor(() => isAlive(machine), 'the next process answers')
})

test('killed, it is started again, and the job it had is over and gone', async ({ machine }) => {
  const id = await submit(machine, 'echo ready; sleep 12345')
  await whenLogged(machine, id, '"ready\\n"')

  await machine.ask('systemctl kill --kill-who=main --signal=KILL agent')
  const log = await whenLogged(machine, id, 'job_finished')

  assert.match(log, '"result":"failed"')
  assert.is(blocksOf(eventsIn(log)).at(-1)?.exitCode, 1)
  assert.not.match(
    await machine.ask('cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "'),
    /sleep 12345 /,
  )
})

test('it gives signs of life, and hanging it is started again', async ({ machine }) => {
  const sign = () => machine.ask('systemctl show -P WatchdogTimestampMonotonic agent')
  await machine.ask(`mkdir -p /run/systemd/system/agent.service.d
printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/agent.service.d/test.conf
systemctl daemon-reload && systemctl restart agent`)
  const before = await mainPid(machine)
  const first = await sign()
  await waitFor(async () => (await sign()) !== first, 'a sign of life')
  assert.is(await mainPid(machine), before)

  await machine.ask(`kill -STOP ${before}`)
  await whenReplaced(machine, before)
  await machine.ask('rm -r /run/systemd/system/agent.service.d && systemctl daemon-reload')
})

test('after a power cut it is there again, and says that its job has failed', async ({
  machine,
}) => {
  await waitFor(() => isAlive(machine), 'the agent answers')
  const id = await submit(machine, 'echo ready; sleep 1000')
  await whenLogged(machine, id, '"ready\\n"')

  await machine.cutPower()
  const log = await whenLogged(machine, id, 'job_finished')

  assert.match(log, '"result":"failed"')
})

test('a reboot lets it end, and it is there again', async ({ machine }) => {
  const ends = () => machine.ask('grep -c "The agent has ended" /var/lib/agent/agent.log')
  const before = Number(await ends())

  await machine.reboot()
  await waitFor(() => isAlive(machine), 'the agent answers')

  assert.is(Number(await ends()), before + 1)
})

test('installed once more for a user of its own, it keeps settings, secret and state', async ({
  machine,
}) => {
  await machine.ask('groupadd docker; sed -i "1i# mine" /etc/agent/agent.yaml')
  await whenLogged(machine, await submit(machine, 'true'), 'job_finished')

  await machine.ask('agent install --user ci --log-level debug')
  const id = await submit(machine, 'id -un; id -Gn; cat /proc/$PPID/comm')
  const log = await whenLogged(machine, id, 'job_finished')

  assert.match(outputIn(log), 'ci\nci docker\n')
  assert.is(
    await machine.ask('stat -c "%a %U" /etc/agent/secret /var/lib/agent /tmp/ssh_jump_point'),
    '600 ci\n700 ci\n755 ci',
  )
  assert.match(
    await machine.ask('cat /etc/agent/agent.yaml'),
    /^# mine\n[\s\S]*port: [\s\S]*log-level: debug/,
  )
  assert.is(await machine.ask('systemctl is-active agent'), 'active')
})

test('a service that would not start is told with the end of its log, and goes on as before', async (t) => {
  const { machine } = t
  const before = await machine.ask('cat /etc/agent/agent.yaml /etc/agent/secret')

  const { code, output } = await machine.run(
    'echo other >/run/other; agent install --user root --host 192.0.2.1 --auth-token-secret-file /run/other',
  )

  assert.is(code, 2)
  assert.match(
    output,
    /does not start like that: it is as before\. The end of its log:[\s\S]*192\.0\./,
  )
  assert.is(await machine.ask('cat /etc/agent/agent.yaml /etc/agent/secret'), before)
  assert.is(await machine.ask('stat -c %U /etc/agent/secret /var/lib/agent'), 'ci\nci')
  assert.is(
    await machine.ask('systemctl show -P User agent; systemctl is-active agent'),
    'ci\nactive',
  )
})

test('a program that the user may not run is told, and the service goes on', async ({
  machine,
}) => {
  const { code, output } = await machine.run(
    'install -D -m 0755 /usr/local/bin/agent /root/bin/agent; chmod 700 /root; /root/bin/agent install',
  )

  assert.is(code, 2)
  assert.match(
    output,
    'User ci may not run /root/bin/agent [ERR_CONFIG_INVALID]\nCopy it to a directory everybody can read',
  )
  assert.match(await machine.ask('systemctl cat agent'), /^ExecStart=\/usr\/local\/bin\/agent /m)
  await machine.ask('rm -r /root/bin')
})

test('a program that others can exchange is not made a service, wherever the name leads', async ({
  machine,
}) => {
  const before = await machine.ask('systemctl cat agent')
  const refused = async (prepare: string) => {
    const program = 'install -D -m 0755 /usr/local/bin/agent /srv/bin/agent'
    const { code, output } = await machine.run(`${program}; ${prepare}; /srv/link install`)
    await machine.ask('rm -rf /srv/bin')
    assert.is(code, 2, output)
    return output
  }
  await machine.ask('ln -sf /srv/bin/agent /srv/link')

  assert.match(await refused('chmod 777 /srv/bin'), 'Everybody can write /srv/bin, and so')
  assert.match(await refused('chmod o+w /srv/bin/agent'), 'Everybody can write /srv/bin/agent,')
  assert.match(await refused('chown 65534 /srv/bin/agent'), 'User 65534 can write /srv/bin/agent,')
  const group =
    'groupadd -f makers; usermod -a -G makers nobody; chgrp makers /srv/bin; chmod g+w /srv/bin'
  assert.match(await refused(group), 'Group makers can write /srv/bin,')
  assert.is(await machine.ask('systemctl cat agent'), before)
  await machine.ask('rm /srv/link; gpasswd -d nobody makers; groupdel makers')
})

test('a path that means something to systemd is no trouble, or told before anything is changed', async ({
  machine,
}) => {
  const said = await machine.ask(
    `mkdir -p '/opt/50%n $HOME/it'"'"'s' && cd '/opt/50%n $HOME' && ln /usr/local/bin/agent agent && ln agent it\\'s/agent && ./agent install`,
  )
  const program = await machine.ask('readlink "/proc/$(systemctl show -P MainPID agent)/exe"')
  const refused = await machine.run(`"/opt/50%n \\$HOME/it's/agent" install`)

  assert.match(said, 'The service is running')
  assert.is(program, '/opt/50%n $HOME/agent')
  assert.is(refused.code, 2)
  assert.match(refused.output, "such characters in its path: /opt/50%n $HOME/it's/agent")
  assert.is(await machine.ask('readlink "/proc/$(systemctl show -P MainPID agent)/exe"'), program)
  await machine.ask('/usr/local/bin/agent install; rm -r /opt/50*')
})

test('a user who was there before is put in the group docker', async ({ machine }) => {
  await machine.ask('useradd me && agent install --user me --host 0.0.0.0')

  assert.is(await machine.ask('id -Gn me; systemctl show -P User agent'), 'me docker\nme')
})

test('a directory that only root can make is made for the user', async ({ machine }) => {
  const said = await machine.ask('agent install --state-dir /srv/agents/one')

  assert.match(said, 'Directory: /srv/agents/one, new')
  assert.is(await machine.ask('stat -c "%a %U" /srv/agents/one'), '700 me')
  assert.is(await machine.ask('systemctl is-active agent'), 'active')
})

test('a service that never started is told where its settings are', async ({ machine }) => {
  await machine.ask('systemctl stop agent')

  const { code, output } = await machine.run('agent install --host 192.0.2.1')

  assert.is(code, 2)
  assert.match(output, /The service does not start\. The end of its log:[\s\S]*192\.0\.2\.1/)
  assert.match(output, 'systemctl restart agent.service')
})

test('uninstalled, nothing of it is left', async ({ machine, files }) => {
  await machine.ask(`mkdir -p ${DROP_INS_PATH} && echo '[Service]' >${DROP_INS_PATH}/override.conf`)
  const said = await machine.ask('agent uninstall')
  assert.match(said, 'Left: /srv/agents/one, a directory of your choice')
  await machine.ask('rm -r /srv/agents')
  assert.is(await machine.ask('id -Gn me'), 'me')
  await machine.ask('userdel me && groupdel docker')

  const before = new Set(files.split('\n'))
  const after = (await machine.ask(LIST_FILES)).split('\n')
  assert.equal(
    after.filter((file) => !before.has(file)),
    [],
  )
  assert.is(
    await machine.ask(
      'systemctl list-units --all --no-legend "agent*"; getent passwd ci; ls -d /tmp/agent* /tmp/ssh* 2>/dev/null; true',
    ),
    '',
  )
  await machine.ask('mkdir /var/lib/agent && agent uninstall && rmdir /var/lib/agent')
})

test('a service whose unit was removed by hand is removed all the same', async ({ machine }) => {
  await install(machine)
  const pid = await mainPid(machine)

  await machine.ask('rm /etc/systemd/system/agent.service && agent uninstall')

  const left = `systemctl is-active agent; ls -d /proc/${pid} /etc/systemd/system/*/agent.service`
  assert.match((await machine.run(left)).output, /^inactive\n(ls: .*\n){2}$/)
})

test('with a control plane and a token it calls, and is not started again when it is refused', async (t) => {
  const { machine } = t
  const hub = await startHub({ host: await machine.hostAddress() })
  const call = `agent install --endpoint ${hub.endpoint} --no-https --name installed-agent`
  const showEnd = ['ActiveState', 'ExecMainStatus', 'NRestarts']
    .map((name) => `systemctl show -P ${name} agent`)
    .join('; ')
  try {
    const wrong = await machine.run(`SEMAPHORE_AGENT_TOKEN=s1-wrong ${call}`)
    const missing = await machine.run(call)
    const before = await machine.run('ls -d /etc/agent')
    const both = await machine.run(`${call} --port 8443`)
    const said = await machine.ask(`SEMAPHORE_AGENT_TOKEN=${hub.registrationToken} ${call}`)
    const job = hub.enqueueCommands('id -un; env | grep -c SEMAPHORE_AGENT_')
    await waitFor(() => job.state === 'finished', 'the job is over')
    const { findings } = JSON.parse(await machine.ask('agent doctor --format json'))
    const files = await machine.ask('stat -c "%a %U" /etc/agent/token; cat /etc/agent/agent.yaml')
    await machine.ask(
      'systemctl stop agent; echo s1-wrong >/etc/agent/token; systemctl start agent',
    )
    await waitFor(async () => (await machine.ask(showEnd)).startsWith('failed'), 'it has ended')

    assert.match(wrong.output, 'The registration token is refused (HTTP 401)')
    assert.match(missing.output, 'agent start needs a registration token')
    assert.match(both.output, '--port is of agent serve, and --endpoint of agent start')
    assert.is(before.code, 2)
    assert.match(said, 'Token: /etc/agent/token\n')
    assert.match(job.log.text, '"output":"root\\n0\\n"')
    assert.match(files, /^600 root\n/)
    assert.not.match(files, hub.registrationToken)
    const ofToken = findings.find(({ subject }: { subject: string }) => subject === 'token')
    assert.match(ofToken?.message, 'is accepted')
    assert.is(await machine.ask(showEnd), 'failed\n2\n0')
    assert.equal(hub.violations, [])
    await machine.ask('agent uninstall')
    assert.is((await machine.run('ls -d /etc/agent /var/lib/agent')).code, 2)
  } finally {
    await hub.close()
  }
})

test.run()
