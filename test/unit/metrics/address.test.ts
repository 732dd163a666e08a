import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ResolverFiles, resolveAddress } from '../../../lib/metrics/address.ts'
import { rejection } from '../docker/fake-daemon.ts'

interface Context {
  directory: string
  files: ResolverFiles
}

const test = suite<Context>('metrics: address')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'hosts-'))
  t.files = { hosts: join(t.directory, 'hosts'), resolvConf: join(t.directory, 'resolv.conf') }
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('an address is its own', async ({ files }) => {
  assert.is(await resolveAddress('192.0.2.7', files), '192.0.2.7')
  assert.is(await resolveAddress('2001:db8::7', files), '2001:db8::7')
  assert.is(await resolveAddress('[2001:db8::7]', files), '2001:db8::7')
})

test('the hosts file counts, without its comments, and IPv6 only for want of IPv4', async ({
  files,
}) => {
  await writeFile(
    files.hosts,
    '# 192.0.2.1 metrics\n::1 metrics six\n192.0.2.2\tother metrics.example.com Metrics # ours\n',
  )

  assert.is(await resolveAddress('metrics', files), '192.0.2.2')
  assert.is(await resolveAddress('six', files), '::1')
  assert.is(await resolveAddress('METRICS.example.com', files), '192.0.2.2')
})

test('localhost is found in the files of this machine', async () => {
  assert.match(await resolveAddress('localhost'), /^127\./)
})

test('a name that is nowhere is an error about that name, not about a search domain', async ({
  files,
}) => {
  await writeFile(files.resolvConf, 'search a.invalid b.invalid\n')

  const error = await rejection(resolveAddress('nowhere.invalid', files))

  assert.match(error.message, 'nowhere.invalid')
  assert.not.match(error.message, 'a.invalid')
})

test.run()
