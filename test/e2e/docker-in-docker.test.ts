/** What a job does with the engine's socket: build, run beside itself, push. No docker on the host. */

import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { encode, runJob } from '../helpers/agent.ts'
import { containerJob, FIRST } from '../helpers/container-job.ts'
import { engineObjects } from '../helpers/engine.ts'
import { startEngineProxy } from '../helpers/engine-proxy.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { createImage, type TestImage } from '../helpers/images.ts'
import { createJobId } from '../helpers/job-id.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { hasImage, removeImage } from '../helpers/registry-image.ts'
import { callEngine } from '../setup/engine.ts'

interface Context {
  /** With the docker client. */
  image: TestImage
  registry: Registry
}

const test = engineSuite<Context>('docker in docker')

const PASSWORD = 'a-secret-of-the-registry'

test.before(async (t) => {
  const client = { '/usr/bin/docker': await readFile('/usr/bin/docker') }
  t.image = await createImage('agent-test/debian', ['ENV DOCKER_BUILDKIT=0'], client)
  t.registry = await startRegistry({ username: 'me', password: PASSWORD })
})

test.after(async (t) => {
  await t.registry.close()
  await t.image.remove()
})

const DOCKERFILE = `FROM agent-test/bare
ARG JOB
LABEL agent.job=$JOB
COPY greeting /greeting
RUN ["bash", "-c", "echo built > /built"]
CMD ["bash", "-c", "echo $(</greeting) $(</built)"]`

/** The name of the network is nobody's to know: the container's own name leads to it. */
const FIND_NETWORK = `network=$(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' "$HOSTNAME")`

const jobWith = (t: Context, directives: readonly string[], services: readonly object[] = []) => {
  const id = createJobId()
  const variables = { JOB: id, REGISTRY: t.registry.host, PASSWORD }
  return containerJob({ image: t.image.name }, directives, {
    job_id: id,
    services,
    env_vars: Object.entries(variables).map(([name, value]) => ({ name, value: encode(value) })),
  })
}

test('a job builds an image, runs it, and pushes it to a registry with a password', async (t) => {
  const name = `${t.registry.host}/built/in-a-job:1`
  const { events, result, stdout } = await runJob(
    jobWith(t, [
      `mkdir ~/context && cd ~/context && echo hello > greeting && cat > Dockerfile << 'EOF'\n${DOCKERFILE}\nEOF`,
      `docker build --build-arg JOB -t ${name} . > ~/built.log 2>&1 || { cat ~/built.log; false; }`,
      `docker run --rm --label "agent.job=$JOB" ${name}`,
      `docker run --rm -it --label "agent.job=$JOB" ${name} bash -c '[[ -t 0 ]] && echo terminal'`,
      `docker push ${name} > ~/refused.log 2>&1; echo $?; tail -1 ~/refused.log`,
      'docker login -u me --password-stdin "$REGISTRY" <<< "$PASSWORD" 2> /dev/null',
      `docker push -q ${name}`,
    ]),
  )

  const outputs = blocksOf(events).map(({ output }) => output)
  try {
    assert.is(result, 'passed', stdout)
    assert.is(outputs[FIRST + 2], 'hello built\n')
    assert.match(outputs[FIRST + 3] ?? '', 'terminal')
    assert.match(outputs[FIRST + 4] ?? '', /^1\n[^\n]*no basic auth credentials/)
    assert.match(outputs[FIRST + 5] ?? '', 'Login Succeeded')
    assert.match(outputs[FIRST + 6] ?? '', name)
    assert.not.match(stdout, PASSWORD)
    assert.ok(await hasImage(name))
    const { host, username } = t.registry
    const answer = await fetch(`http://${host}/v2/built/in-a-job/manifests/1`, {
      headers: { authorization: `Basic ${encode(`${username}:${PASSWORD}`)}` },
    })
    assert.is(answer.status, 200)
  } finally {
    await removeImage(name)
  }
})

test('a container the job starts is on its network: it reaches the services, the job reaches it', async (t) => {
  const run = 'docker run --label "agent.job=$JOB" --network'
  const talker =
    'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5); while (my $c = $s->accept) { print $c "reached\\n"; close $c }'
  const { events, result, stdout } = await runJob(
    jobWith(
      t,
      [
        FIND_NETWORK,
        `${run} "$network" --rm agent-test/redis redis-cli -h cache ping`,
        `${run} container:"$HOSTNAME" --rm agent-test/redis redis-cli -h cache ping`,
        `${run} "$network" -d --name "talker-$JOB" --network-alias talker agent-test/debian perl -e '${talker}' > /dev/null`,
        'until exec 3<>/dev/tcp/talker/7000; do sleep 0.1; done 2> /dev/null; cat <&3',
      ],
      [{ name: 'cache', image: 'agent-test/redis' }],
    ),
  )

  const outputs = blocksOf(events).map(({ output }) => output)
  const left = (await engineObjects()).containers.filter((name) => name.startsWith('/talker-'))
  for (const name of left) await callEngine('DELETE', `/containers${name}?force=true`)
  assert.is(result, 'passed', stdout)
  assert.is(outputs[FIRST + 1], 'PONG\n')
  assert.is(outputs[FIRST + 2], 'PONG\n')
  assert.is(outputs[FIRST + 4], 'reached\n')
  assert.is(left.length, 1, 'it is the job’s own, and does not keep the network from going away')
})

test('an engine on another socket is the one the job reaches, too', async (t) => {
  const proxy = await startEngineProxy()
  try {
    const { events, result } = await runJob(
      jobWith(t, ['docker ps -q --filter label=asked-from-inside; echo "[$DOCKER_HOST]"']),
      { environment: proxy.environment },
    )

    assert.is(result, 'passed')
    assert.is(blocksOf(events)[FIRST]?.output, '[]\n')
    assert.ok(proxy.calls.some((call) => call.includes('asked-from-inside')))
  } finally {
    await proxy.close()
  }
})

test.run()
