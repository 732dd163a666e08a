/** Jobs of an agent that is a service with a user of its own: in containers, and on the host. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ControlPlane, startControlPlaneAt } from '../helpers/control-plane.ts'
import { type EngineObjects, engineObjects } from '../helpers/engine.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import {
  askAgent,
  install,
  mainPid,
  submitJob,
  whenLogged,
  whenOver,
  whenReplaced,
} from '../helpers/installed-agent.ts'
import { type Machine, startMachine } from '../helpers/machine.ts'
import { eventsIn } from '../helpers/served-agent.ts'

interface Context {
  machine: Machine
  controlPlane: ControlPlane
  /** Of the engine, before the test. */
  before: EngineObjects
}

const test = suite<Context>('service: jobs')

const encode = (text: string) => Buffer.from(text).toString('base64')

test.before(async (t) => {
  t.machine = await startMachine()
  t.controlPlane = await startControlPlaneAt(await t.machine.hostAddress())
  await t.machine.ask(`cp /given/agent /usr/local/bin/agent
groupadd --non-unique --gid "$(stat -c %g /run/docker.sock)" docker`)
  await install(t.machine, '--user ci')
})

test.after(async ({ machine, controlPlane }) => {
  await controlPlane.close()
  await machine.remove()
})

test.before.each(async (t) => {
  t.before = await engineObjects()
})

/** A job of two containers. */
const inContainers = (job: object) => ({
  executor: 'dockercompose',
  compose: {
    containers: [
      { name: 'main', image: 'agent-test/servers' },
      { name: 'cache', image: 'agent-test/redis' },
    ],
  },
  ...job,
})

const WAIT = 'echo ready; until [ -e /tmp/go ]; do sleep 0.05; done'

/** Into a job, as its user does it on the machine. */
async function letGo(machine: Machine, id: string): Promise<void> {
  await machine.ask(`sudo -u ci agent attach ${id} -- touch /tmp/go`)
}

test('a job in two containers, by the group docker, leaves nothing on the engine', async (t) => {
  const id = await submitJob(
    t.machine,
    inContainers({
      env_vars: [{ name: 'GREETING', value: encode('hello') }],
      files: [{ path: '~/.greeting', content: encode('from a file\n'), mode: '0600' }],
      commands: [
        { directive: 'echo "$GREETING"; cat ~/.greeting; stat -c %a ~/.greeting' },
        { directive: 'redis-cli -h cache set answer 42; redis-cli -h cache --raw get answer' },
      ],
    }),
  )
  const log = await whenOver(t.machine, id)

  assert.match(log, '"result":"passed"')
  const outputs = blocksOf(eventsIn(log)).map(({ output }) => output)
  assert.equal(outputs.slice(-3, -1), ['hello\nfrom a file\n600\n', 'OK\n42\n'])
  assert.equal(await engineObjects(), t.before)
  assert.match(await t.machine.ask('ps -o user= -p "$(systemctl show -P MainPID agent)"'), /^ci$/)
})

test('a daemon of a job ends with it, in a group below the one that systemd delegates', async (t) => {
  const daemon = 'env -i setsid -f sleep 1007; cat /proc/self/cgroup'
  const id = await submitJob(t.machine, { commands: [{ directive: daemon }] })

  const log = await whenOver(t.machine, id)

  assert.match(log, '"result":"passed"')
  assert.match(log, /\/agent\.service\/agent-job-\w+/)
  await waitFor(
    async () => (await t.machine.run('pgrep -f "sleep 100[7]"')).code === 1,
    'it has ended',
  )
})

test('told to restart, the service lets a job in containers end', async ({ machine, before }) => {
  const first = await mainPid(machine)
  const id = await submitJob(machine, inContainers({ commands: [{ directive: WAIT }] }))
  await whenLogged(machine, id, '"ready\\n"')

  await machine.ask('systemctl restart --no-block agent')
  await waitFor(
    async () => (await machine.ask('systemctl show -P ActiveState agent')) === 'deactivating',
    'the service is asked to stop',
  )
  await letGo(machine, id)
  await whenReplaced(machine, first)
  const log = await whenOver(machine, id)

  assert.match(log, '"result":"passed"')
  assert.equal(await engineObjects(), before)
})

test('a job that outlasts the patience of a restart is stopped, told of, and gone', async (t) => {
  const { machine, controlPlane } = t
  await machine.ask('agent install --user ci --shutdown-timeout 0s')
  const first = await mainPid(machine)
  const callbacks = {
    finished: `${controlPlane.url}/finished`,
    teardown_finished: `${controlPlane.url}/teardown`,
  }
  const job = { callbacks, commands: [{ directive: WAIT }] }
  const id = await submitJob(machine, inContainers(job))
  await whenLogged(machine, id, '"ready\\n"')

  await machine.ask('systemctl restart --no-block agent')
  await waitFor(() => controlPlane.calls.length > 0, 'the end is told')
  const log = await collect(machine, id)
  await waitFor(() => controlPlane.calls.length > 1, 'the teardown is told')
  await whenReplaced(machine, first)
  await whenOver(machine, id)

  const { exitCode } = blocksOf(eventsIn(log)).at(-1) ?? {}
  assert.is(exitCode, 1)
  assert.equal(
    controlPlane.calls.map(({ path, body }) => `${path} ${body}`),
    ['/finished {"result":"stopped"}', '/teardown {}'],
  )
  assert.equal(await engineObjects(), t.before)
})

test('killed, the service is started again, and removes the containers of its job', async (t) => {
  const id = await submitJob(t.machine, inContainers({ commands: [{ directive: WAIT }] }))
  await whenLogged(t.machine, id, '"ready\\n"')

  await t.machine.ask('systemctl kill --kill-who=main --signal=KILL agent')
  const log = await whenOver(t.machine, id)

  assert.match(log, '"result":"failed"')
  assert.equal(await engineObjects(), t.before)
})

/** What a sandbox around the service would take from a job, and what is printed where it does not. */
const FREEDOMS: ReadonlyArray<readonly [string, string]> = [
  ['sudo id -u', '0\n'],
  ['setuid-id -u', '0\n'],
  ['sudo touch /usr/of-job && cat /usr/of-job && echo written', 'written\n'],
  ['sudo mount -t tmpfs of-job /mnt && echo mounted', 'mounted\n'],
  [
    'umask && touch /tmp/of-job && chmod 4755 /tmp/of-job && stat -c %a /tmp/of-job',
    '0022\n4755\n',
  ],
  ["unshare --user --map-root-user --mount --pid --fork sh -c 'id -u; echo $$'", '0\n1\n'],
  ['strace -o /dev/null echo traced', 'traced\n'],
  ['setarch --addr-no-randomize echo as another machine', 'as another machine\n'],
  ['ulimit -Sc; ulimit -Hc; ulimit -c unlimited && ulimit -Sc', '0\nunlimited\nunlimited\n'],
]

test('the unit takes nothing from a job that its user may do', async ({ machine }) => {
  await machine.ask(`echo 'ci ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ci
install -m 4755 /usr/bin/id /usr/local/bin/setuid-id`)

  const id = await submitJob(machine, {
    commands: FREEDOMS.map(([directive]) => ({ directive })),
  })
  const log = await whenOver(machine, id)

  const outputs = blocksOf(eventsIn(log)).map(({ output }) => output)
  assert.equal(
    outputs.slice(2, -1),
    FREEDOMS.map(([, output]) => output),
  )
  assert.is(await machine.ask('findmnt -no SOURCE /mnt; stat -c %U /tmp/of-job'), 'of-job\nci')
})

test('what a job starts is nearer to the end than the agent when memory runs out', async (t) => {
  const score = 'cat /proc/self/oom_score_adj'
  const { compose } = inContainers({})
  const setUp = await submitJob(t.machine, {
    executor: 'dockercompose',
    compose: { ...compose, host_setup_commands: [{ directive: `${score} >/tmp/score` }] },
  })
  await whenOver(t.machine, setUp)
  const onHost = await submitJob(t.machine, {
    commands: [{ directive: `${score} /tmp/score /proc/$PPID/oom_score_adj` }],
  })
  const { output = '' } = blocksOf(eventsIn(await whenOver(t.machine, onHost)))[2] ?? {}

  const [ofShell = 0, ofSetUp, ofAgent = 0] = output.split('\n').map(Number)
  assert.is(ofShell - ofAgent, 500)
  assert.is(ofSetUp, ofShell)
})

/** Many small ones, none of which is as large as the agent. */
const HUNGRY = `pids=(); for i in {1..60}; do perl -e '$x = "a" x (10 << 20); sleep 5' & pids+=($!); done
for pid in "${'$'}{pids[@]}"; do wait $pid || echo "lost, with $?"; done; echo over`

test('a job of many processes that takes all memory loses some of them, not its agent', async (t) => {
  await t.machine.ask(`mkdir -p /run/systemd/system/agent.service.d
printf '[Service]\nMemoryMax=300M\n' >/run/systemd/system/agent.service.d/test.conf
systemctl daemon-reload && systemctl restart agent`)
  const before = await mainPid(t.machine)

  const id = await submitJob(t.machine, { commands: [{ directive: HUNGRY }] })
  const log = await whenOver(t.machine, id)
  await t.machine.ask('rm -r /run/systemd/system/agent.service.d && systemctl daemon-reload')

  assert.match(log, 'lost, with 137')
  assert.match(log, 'over\\n')
  assert.match(log, '"result":"passed"')
  assert.is(await mainPid(t.machine), before)
})

const EXECUTORS: ReadonlyArray<readonly [string, object]> = [
  ['on the host', { executor: 'shell' }],
  ['in containers', inContainers({})],
]

for (const [where, executor] of EXECUTORS) {
  test(`a job ${where} is entered over SSH and by agent attach, and its key goes with it`, async (t) => {
    const { machine } = t
    await machine.ask(
      'rm -f /tmp/go; test -e /run/key || ssh-keygen -q -t ed25519 -N "" -f /run/key; systemctl start ssh',
    )
    const ssh = (words: string) =>
      machine.run(
        `ssh -i /run/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR ci@localhost ${words}`,
      )
    const id = await submitJob(machine, {
      ...executor,
      ssh_public_keys: [encode(await machine.ask('cat /run/key.pub'))],
      env_vars: [{ name: 'OF_JOB', value: encode('a b') }],
      commands: [{ directive: WAIT }],
    })
    await whenLogged(machine, id, '"ready\\n"')

    const session = await ssh(`bash /tmp/ssh_jump_point printenv OF_JOB`)
    const ofRoot = await machine.run('agent attach')
    const attached = await machine.run(`sudo -u ci agent attach ${id} -- printenv OF_JOB`)
    await letGo(machine, id)
    const log = await whenOver(machine, id)
    const late = await ssh('true')

    assert.equal(session, { code: 0, output: 'a b\n' })
    assert.equal(attached, { code: 0, output: 'a b\n' })
    assert.match(ofRoot.output, "User ci may have some: sudo -u 'ci' agent attach.")
    assert.match(log, '"result":"passed"')
    assert.match(late.output, 'Permission denied')
    assert.equal(await engineObjects(), t.before)
  })
}

test("a script of another user's agent is told, and the service's own with the next start", async ({
  machine,
}) => {
  await machine.ask('rm -f /tmp/ssh_jump_point; touch /tmp/ssh_jump_point')
  const id = await submitJob(machine, { commands: [{ directive: 'true' }] })
  await whenOver(machine, id)

  const said = await machine.ask('journalctl -u agent -o cat --no-pager')
  await machine.ask('systemctl restart agent')

  assert.match(said, /ssh_jump_point does not lead into this job; use agent attach\. .*EPERM/)
  assert.is(await machine.ask('stat -c "%U %s" /tmp/ssh_jump_point'), 'ci 0')
})

/** As a control plane does. */
async function collect(machine: Machine, id: string): Promise<string> {
  let log = ''
  await waitFor(async () => {
    const headers = { 'x-client-name': 'archivator' }
    log = await askAgent(machine, 'GET', `/jobs/${id}/log`, { headers }).catch(() => '')
    return log.includes('job_finished')
  }, 'the log can be collected')
  return log
}

test.run()
