/** What users of a job other than its own may do through `cache` and `checksum`: what they may do anyway. */

import * as assert from 'uvu/assert'
import { cacheSuite } from '../helpers/engine-suite.ts'
import { inJob, PLACES } from '../helpers/in-job.ts'

const test = cacheSuite('toolbox: users')

/** Keys for whoever wants to restore them, and a place where everybody may write. */
const PREPARE =
  'cd "$(mktemp -d)"; chmod 755 .; mkdir -m 777 open; echo evil >f; mkdir -p d/e; echo evil >d/e/f; cache store k f >/dev/null; cache store d d >/dev/null; t=$(dirname "$(dirname "$(type -P cache)")")'

const as = (user: string, command: string) =>
  `setpriv --reuid ${user} --regid ${user} --clear-groups bash -c '${command}'`

const NOBODY = '65534'

test('container: another user can neither write nor read as root, whatever it says of itself', async (t) => {
  const claim = `sed "s/\\"\\$PWD\\" \\"\\$EUID\\" \\"\\\${GROUPS\\[0\\]-0}\\"/\\"\\$PWD\\" 0 0/" "$(type -P cache)" >open/claims; grep -c "\\$PWD\\" 0 0" open/claims`
  const restore = 'cd /usr/local/sbin; cache restore k; bash "$OLDPWD/open/claims" restore k; ls -A'
  const read =
    'cache store secret /etc/security/opasswd; cache store all /etc/security; cache has_key secret; cache has_key all || :'
  const directives = [
    `${PREPARE}; ${claim}`,
    as(NOBODY, restore),
    as(NOBODY, read),
    as(NOBODY, `[[ ! -w ${'$'}1/asks/0 && ! -w ${'$'}1/replies ]] || echo can`).concat(' - "$t"'),
    as(NOBODY, 'cd open; bash claims restore k >log; stat -c %u:%g f'),
  ]
  const { outputs } = await inJob('container', directives, t)

  const refused =
    /HIT: .*\nerror: User 65534 of the container cannot do this: .*Permission denied.*\n/
  assert.is(outputs[0], '1\n')
  assert.match(outputs[1] ?? '', new RegExp(`^(${refused.source}){2}$`))
  assert.match(outputs[2] ?? '', /(Uploading .*\nerror: User 65534 .*Permission denied.*\n){2}/)
  assert.match(outputs[2] ?? '', /(Key '\w+' doesn't exist in the cache store\.\n){2}$/)
  assert.is(outputs[3], '')
  assert.is(outputs[4], '65534:65534\n')
})

test('container: another user has the cache for what is its own, with the groups it has there', async (t) => {
  const round =
    'mkdir mine mine/empty; echo "one  two" >"mine/a b"; ln -s nowhere mine/l; chmod 640 mine/*b; ln mine/*b mine/hard; cache store m mine/; rm -r mine; cache restore m; cat mine/*b; stat -c "%a %h %N" mine/* | sed s,mine/,,g; checksum mine/hard'
  const directives = [
    `${PREPARE}; chmod 777 .; echo shared:x:7001:bob >>/etc/group; echo bob:x:7000: >>/etc/group; echo bob:x:7000:7000::/:/bin/bash >>/etc/passwd; mkdir -m 770 group; chgrp shared group`,
    as(NOBODY, round),
    `runuser -u bob -- bash -c 'cd group; cache restore k; echo two >>f; cache store g f; ls -l f | cut -d" " -f 3,4; cat f'`,
    as(NOBODY, 'cd group; echo not reached').concat(' 2>&1 | grep -o denied'),
    as('1000670000', 'cd open; cache restore k >/dev/null; stat -c %u:%g f'),
  ]
  const { outputs } = await inJob('container', directives, t)

  assert.match(outputs[1] ?? '', /Uploading .*\nUpload complete.*\nHIT.*\nRestored: mine\..*\n/)
  assert.match(
    outputs[1] ?? '',
    /\none {2}two\n640 2 'a b'\n755 \d 'empty'\n640 2 'hard'\n777 1 'l' -> 'nowhere'\n[0-9a-f]{32}\n$/,
  )
  assert.match(outputs[2] ?? '', /\nRestored: f\.(.*\n)*Upload complete.*\nbob bob\nevil\ntwo\n$/)
  assert.is(outputs[3], 'denied\n')
  assert.is(outputs[4], '1000670000:65534\n') // the image has no user of that number, and so no group for it
})

test('container: links lead another user nowhere it could not go itself', async (t) => {
  const directives = [
    `${PREPARE}; mkdir real`,
    as(NOBODY, 'cd open; ln -s /usr/local/sbin here; ln -s ../../real d; cd here; cache restore k'),
    as(
      NOBODY,
      'cd open; cache restore d; mkdir -p x; cd x; mkdir d; ln -s "$OLDPWD/../real" d/e; cache restore d',
    ),
    as(
      NOBODY,
      'cd open; ln -s /etc/security/opasswd o; cache store o o >/dev/null; rm o; cache restore o; readlink o; cp "$(type -P checksum)" c; sed -i "/^if hash/,/^fi/d; /^if .*-f/,/^fi/d" c; bash c o || :',
    ),
    'ls -A /usr/local/sbin real',
  ]
  const { outputs } = await inJob('container', directives, t)

  assert.match(outputs[1] ?? '', /error: User 65534 .*denied/)
  assert.match(
    outputs[3] ?? '',
    /\n\/etc\/security\/opasswd\nchecksum: User 65534 .*Permission denied.*\n$/,
  )
  assert.is(outputs[4], '/usr/local/sbin:\n\nreal:\n')
})

test('container: root in a job that is not root’s has root’s rights, everybody else their own', async (t) => {
  const directives = [
    'cd "$(mktemp -d)"; echo 1 >f; cache store k f >/dev/null; cache restore k >/dev/null; stat -c %u f; cd /usr/local/sbin; cache restore k | tail -n 1; ls -A',
  ]
  const { outputs } = await inJob('container', directives, { ...t, user: 'nobody' })

  assert.match(
    outputs[0] ?? '',
    /^65534\nerror: The job's user \(65534:65534\) may not write to \/usr\/local\/sbin.*\n$/,
  )
})

for (const place of PLACES) {
  test(`${place}: what a job asks without end is bounded, and others are answered`, async (t) => {
    const ask = place === 'host' ? '"$t/requests"' : '"$t/asks/0"'
    const peak = 'while read -r n kb _; do [[ $n == VmHWM: ]] && echo $kb; done </proc/$PPID/status'
    const directives = [
      `${PREPARE}; x=$(printf 'x%.0s' {1..800})`,
      place === 'host'
        ? `for i in {1..400}; do yes "1-$i +$x" | head -n 1300; done >>${ask}; head -c 300000000 /dev/zero | tr '\\0' x >>${ask}; echo >>${ask}`
        : `{ for i in {1..20}; do yes "1-$i +$x" | head -n 50; done; head -c 500000 /dev/zero | tr '\\0' x; echo; } >>${ask}`,
      'cache has_key k',
      place === 'host' ? peak : 'echo 0',
    ]
    const { outputs } = await inJob(place, directives, t)

    assert.is(outputs[2], "Key 'k' exists in the cache store.\n")
    assert.ok(Number(outputs[3]) < 400_000, outputs[3])
  })
}

test('host: another user cannot ask at all', async (t) => {
  const directives = [
    PREPARE,
    `${as(NOBODY, 'cd /tmp; cache restore k; cache store s /etc/shadow')} 2>&1 | grep -c "not found"; cache has_key s || :`,
    as(NOBODY, '{ echo x >>"$1/requests"; } 2>/dev/null || echo no').concat(' - "$t"'),
  ]
  const { outputs } = await inJob('host', directives, t)

  assert.match(outputs[1] ?? '', /^2\nKey 's' doesn't exist in the cache store\.\n$/)
  assert.is(outputs[2], 'no\n')
})

test.run()
