import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findOwnCgroup } from '../../../lib/host/cgroup-mount.ts'

const test = suite('host: place of control groups')

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'
const UNIFIED = '31 24 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw'
const FREEZER = '40 24 0:33 / /sys/fs/cgroup/freezer rw shared:13 - cgroup cgroup rw,freezer'
const CPU = '41 24 0:34 / /sys/fs/cgroup/cpu rw shared:14 - cgroup cgroup rw,cpu'

const CASES: readonly [name: string, own: string, mounts: string[], place: string | undefined][] = [
  ['version 2 alone', '0::/system.slice/agent.service', [V2], `/system.slice/agent.service`],
  ['the root itself', '0::/', [V2], '/'],
  ['both, for which 2 is taken', '9:freezer:/a\n0::/b', [FREEZER, UNIFIED], '/unified/b'],
  ['version 1 alone', '9:freezer:/a\n3:cpu:/c', [CPU, FREEZER], '/freezer/a'],
  ['2 that is not mounted', '9:freezer:/a\n0::/b', [FREEZER], '/freezer/a'],
  ['version 1 without a freezer', '3:cpu:/c', [CPU], undefined],
  ['what is mounted in a container', '0::/docker/1/x', [V2.replace(' / ', ' /docker/1 ')], '/x'],
  ['its own root there', '0::/docker/1', [V2.replace(' / ', ' /docker/1 ')], ''],
  ['another container', '0::/docker/10', [V2.replace(' / ', ' /docker/1 ')], undefined],
  ['outside of its namespace', '0::/../b', [V2], undefined],
  ['none at all', '', [], undefined],
]

for (const [name, own, mounts, place] of CASES) {
  test(name, () => {
    const found = findOwnCgroup(`${own}\n`, `${mounts.join('\n')}\n`)

    assert.is(found, place === undefined ? undefined : `/sys/fs/cgroup${place}`)
  })
}

test('a mount point with a space in its name', () => {
  const mounts = V2.replace('/sys/fs/cgroup', '/odd\\040place')

  assert.is(findOwnCgroup('0::/a', mounts), '/odd place/a')
})

test.run()
