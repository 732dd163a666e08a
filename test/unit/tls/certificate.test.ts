import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { fingerprintOf, keepOwnCertificate, readCertificate } from '../../../lib/tls/certificate.ts'

const test = suite<{ directory: string }>('tls: certificate')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

test('a client that trusts the certificate reaches this host by name and address', async (t) => {
  const { cert, key } = readCertificate(await keepOwnCertificate(t.directory))
  const server = createServer({ cert, key }, (_, response) => response.end('yes'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const answers = await Promise.all(
    ['localhost', '127.0.0.1', hostname()].map(
      (servername) =>
        new Promise((resolve, reject) => {
          const options = { host: '127.0.0.1', servername, port, ca: cert, agent: false as const }
          const headers = { host: servername }
          get({ ...options, headers }, (response) => {
            response.resume()
            response.on('end', () => resolve(response.statusCode))
          }).on('error', reject)
        }),
    ),
  )
  await new Promise((resolve) => server.close(resolve))

  assert.equal(answers, [200, 200, 200])
})

test('both files are for the agent’s user only', async (t) => {
  const { certPath, keyPath } = await keepOwnCertificate(t.directory)

  assert.is((await stat(certPath)).mode & 0o777, 0o600)
  assert.is((await stat(keyPath)).mode & 0o777, 0o600)
})

test('the next start finds the same certificate, unless it is spoilt', async (t) => {
  const files = await keepOwnCertificate(t.directory)
  const first = await readFile(files.certPath, 'utf8')

  await keepOwnCertificate(t.directory)
  const second = await readFile(files.certPath, 'utf8')
  await writeFile(files.keyPath, 'half a k')
  await keepOwnCertificate(t.directory)
  const third = readCertificate(files).cert

  assert.is(second, first)
  assert.is.not(third, first)
  assert.match(fingerprintOf(third), /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
})

test('one that is about to expire is replaced', async (t) => {
  const { certPath } = await keepOwnCertificate(t.directory)
  const first = new X509Certificate(await readFile(certPath))
  const now = Date.now
  Date.now = () => first.validToDate.getTime() - 29 * 86_400_000
  try {
    await keepOwnCertificate(t.directory)
  } finally {
    Date.now = now
  }

  const second = new X509Certificate(await readFile(certPath))
  assert.ok(second.validToDate > first.validToDate)
})

test('one that was made while the clock was ahead is replaced', async (t) => {
  const now = Date.now
  Date.now = () => now() + 1_000 * 86_400_000
  try {
    await keepOwnCertificate(t.directory)
  } finally {
    Date.now = now
  }

  const { certPath } = await keepOwnCertificate(t.directory)

  assert.ok(new X509Certificate(await readFile(certPath)).validFromDate.getTime() <= Date.now())
})

test('a missing, a foreign and a garbled key are told apart', async (t) => {
  const files = await keepOwnCertificate(t.directory)
  const other = await mkdtemp(join(t.directory, 'other-'))
  const foreign = await keepOwnCertificate(other)
  const garbled = join(t.directory, 'garbled')
  await writeFile(garbled, 'x')

  const refusalFor = (keyPath: string): string => {
    try {
      readCertificate({ ...files, keyPath })
    } catch (error) {
      assert.instance(error, ConfigError)
      return (error as Error).message
    }
    return 'none'
  }

  assert.match(refusalFor('/no/such.key'), 'private key /no/such.key cannot be read')
  assert.match(refusalFor(foreign.keyPath), 'does not match the certificate')
  assert.match(refusalFor(garbled), 'no PEM private key')
})

test.run()
