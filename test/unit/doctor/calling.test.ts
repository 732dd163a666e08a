import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { examineAll, type Finding } from '../../../lib/checks/check.ts'
import { callingChecks } from '../../../lib/doctor/calling.ts'
import { requireAccepted } from '../../../lib/doctor/control-plane.ts'
import type { ConfigSources } from '../../../lib/settings/sources.ts'
import { startHub } from '../../helpers/hub.ts'
import { rejection } from '../../helpers/rejection.ts'
import { FIRST_CERTIFICATE } from '../http/certificates.ts'

interface Context {
  directory: string
}

const test = suite<Context>('doctor: calling a control plane')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'calling-'))
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

function sourcesOf({ directory }: Context, flags: ConfigSources['flags']): ConfigSources {
  return {
    flags: { 'state-dir': join(directory, 'state'), ...flags },
    environment: { HOME: directory },
    workingDirectory: directory,
    isRoot: false,
  }
}

/** By what each is about. */
async function look(
  t: Context,
  flags: ConfigSources['flags'],
): Promise<Readonly<Record<string, Finding>>> {
  const findings = await examineAll(await callingChecks(sourcesOf(t, flags)))
  for (const { message, remedy = '' } of findings) assert.not.match(message + remedy, 's1-')
  return Object.fromEntries(findings.map((finding) => [finding.subject, finding]))
}

async function withServer(listener: RequestListener, use: (endpoint: string) => Promise<void>) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

test('all is well: the control plane answers, has the same time and takes the token', async (t) => {
  const hub = await startHub()
  try {
    const tokenFile = join(t.directory, 'token')
    await writeFile(tokenFile, hub.registrationToken)
    const endpoint = hub.endpoint.replace('127.0.0.1', 'localhost')

    const found = await look(t, { endpoint, 'token-file': tokenFile, 'no-https': true })

    assert.is(found['settings']?.state, 'ok')
    assert.match(found['address']?.message ?? '', /^localhost is .*127\.0\.0\.1/)
    assert.is(found['connection']?.state, 'warning')
    assert.match(found['connection']?.remedy ?? '', 'leave out --no-https')
    assert.is(found['clock']?.message, 'in step with that of the control plane')
    assert.match(found['token']?.message ?? '', /^is accepted; of its type 0 agents are idle/)
    assert.is(found['state']?.state, 'ok')
    assert.equal(
      hub.requests.map(({ kind }) => kind),
      ['metrics'],
    )
    assert.equal(hub.violations, [])
  } finally {
    await hub.close()
  }
})

test('a certificate of an unknown authority and a wrong token have their remedies', async (t) => {
  const hub = await startHub({ tls: FIRST_CERTIFICATE })
  const plain = await startHub()
  try {
    const flags = { endpoint: hub.endpoint, token: 's1-wrong' }

    const untrusted = await look(t, flags)
    const speaksNoTls = await look(t, { ...flags, endpoint: plain.endpoint })
    const wrong = await look(t, { ...flags, endpoint: plain.endpoint, 'no-https': true })

    assert.is(untrusted['connection']?.state, 'problem')
    assert.match(untrusted['connection']?.message ?? '', 'authority that is not trusted')
    assert.match(untrusted['connection']?.remedy ?? '', 'NODE_EXTRA_CA_CERTS or SSL_CERT_FILE')
    assert.is(untrusted['token'], undefined)
    assert.match(speaksNoTls['connection']?.message ?? '', 'does not speak TLS')
    assert.match(speaksNoTls['connection']?.remedy ?? '', '--no-https')
    assert.match(wrong['token']?.message ?? '', 'is refused (HTTP 401)')
    assert.match(wrong['token']?.remedy ?? '', 'page of the agent type')
    assert.match(wrong['settings']?.message ?? '', '--token is visible in ps')
  } finally {
    await hub.close()
    await plain.close()
  }
})

test('a name that is not known, a port without a server', async (t) => {
  const unknown = await look(t, { endpoint: 'nowhere.invalid', token: 's1-x' })
  const closed = await look(t, { endpoint: '127.0.0.1:1', token: 's1-x' })

  assert.match(unknown['address']?.message ?? '', 'nowhere.invalid cannot be resolved')
  assert.match(unknown['address']?.remedy ?? '', 'name servers')
  assert.is(unknown['connection'], undefined)
  assert.match(closed['connection']?.message ?? '', '127.0.0.1:1 does not answer: nothing listens')
  assert.is(closed['clock'], undefined)
})

test('another server, one in trouble, and a clock that is wrong', async (t) => {
  const flags = { token: 's1-x', 'no-https': true }
  const answers = [
    (response: Parameters<RequestListener>[1]) => response.end('<html>'),
    (response: Parameters<RequestListener>[1]) => response.writeHead(503).end(),
    (response: Parameters<RequestListener>[1]) => {
      response.writeHead(404, { date: new Date(Date.now() + 3_600_000).toUTCString() }).end()
    },
    (response: Parameters<RequestListener>[1]) => {
      response.writeHead(401, { date: new Date(Date.now() - 100_000).toUTCString() }).end()
    },
  ]
  await withServer(
    (_, response) => void answers.shift()?.(response),
    async (endpoint) => {
      const page = await look(t, { ...flags, endpoint })
      const busy = await look(t, { ...flags, endpoint })
      const late = await look(t, { ...flags, endpoint })
      const early = await look(t, { ...flags, endpoint })

      assert.match(page['token']?.message ?? '', 'no control plane answers there')
      assert.is(busy['token']?.state, 'warning')
      assert.match(busy['token']?.message ?? '', 'answered 503')
      assert.is(late['clock']?.state, 'problem')
      assert.match(late['clock']?.message ?? '', /^36\d\d s behind|^3599 s behind/)
      assert.is(early['clock']?.state, 'warning')
      assert.match(early['clock']?.message ?? '', 's ahead of')
    },
  )
})

test('what is missing or wrong in the settings is told without a call', async (t) => {
  const hook = join(t.directory, 'hook')

  const missing = await look(t, { endpoint: '127.0.0.1:1', 'shutdown-hook-path': hook })
  const wrong = await look(t, { endpoint: 'a b', agents: 'x' })

  assert.match(missing['token']?.message ?? '', 'is not given')
  assert.match(missing['token']?.remedy ?? '', '--token-file')
  assert.match(missing['files']?.message ?? '', 'the shutdown hook cannot be read: ENOENT')
  assert.match(wrong['settings']?.message ?? '', '--endpoint: expected host')
  assert.match(wrong['settings']?.message ?? '', '--agents: expected a whole number')
})

test('an installation is refused with a wrong token, not because of the network', async (t) => {
  const hub = await startHub()
  try {
    const sources = sourcesOf(t, { endpoint: hub.endpoint, 'no-https': true })

    await requireAccepted(hub.registrationToken, sources)
    const refused = await rejection(requireAccepted('s1-wrong', sources))
    await requireAccepted('s1-wrong', sourcesOf(t, { endpoint: '127.0.0.1:1' }))

    assert.match(refused.message, 'The registration token is refused (HTTP 401)')
  } finally {
    await hub.close()
  }
})

test.run()
