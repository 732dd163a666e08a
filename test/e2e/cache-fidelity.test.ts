/** What a restored tree has of the one that was stored: everything. */

import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { compress } from '../../lib/cache/archive/compress.ts'
import { DirectoryStore } from '../../lib/cache/directory-store.ts'
import { END_OF_TAR, encodeHeader, padding, type TarEntry } from '../../lib/tar/header.ts'
import { cacheSuite } from '../helpers/engine-suite.ts'
import { inJob, PLACES } from '../helpers/in-job.ts'
import { tarEntry } from '../helpers/tar-entry.ts'

const test = cacheSuite('cache: fidelity')

/** One of everything a tree can have. */
const MAKE_TREE = `cd "$(mktemp -d)"; mkdir tree; cd tree
mkdir -p empty 'with space' $'new\\nline' deep/er/est; echo plain >plain; echo x >'with space/a b'
echo nl >$'new\\nline/f\\ng'; echo raw >$'not-utf8-\\xff\\xfe'; echo ünï >ünïcödé
long=$(printf 'n%.0s' {1..200}); mkdir -p $long/$long; echo long >$long/$long/$long; : >empty-file
ln -s plain link; ln -s /nowhere/at/all dangling; ln -s /etc/hostname absolute; ln -s ../../outside climbing
ln -s deep dir-link; ln -s $long/$long/$long long-link; ln -s $'raw\\xff' raw-link
ln plain hard; ln plain deep/er/hard
printf '#!/bin/sh\\necho ran\\n' >run.sh; chmod 755 run.sh; chmod 600 plain; chmod 4711 deep/er/est; chmod 2755 empty
head -c 300000 /dev/urandom >big; truncate -s 5M holes; mkfifo fifo
find . -exec touch -h -d '2001-02-03 04:05:06' {} +; touch -d '1970-01-02 UTC' plain; touch -d '2100-01-01 UTC' big
chmod 555 'with space'; cd ..`

/** Everything that is to survive, a line each; the FIFO is left out, as no cache keeps one. */
const DESCRIBE = `(cd tree && find . ! -name fifo -printf '%P|%y|%m|%T@|%l|%n|%u:%g\\0' | LC_ALL=C sort -z | tr '\\0' '\\n'
find . -type f ! -name fifo -exec md5sum {} + | sort; stat -c '%i' plain hard deep/er/hard | uniq | wc -l)`

for (const place of PLACES) {
  test(`${place}: names, links, modes, times, hard links, empty directories, owners`, async (t) => {
    const directives = [
      MAKE_TREE,
      'chown -h 12:34 tree/link tree/plain tree/empty',
      `${DESCRIBE} >before; wc -l <before`,
      'cache store tree tree; chmod -R u+w tree; rm -r tree; cache restore tree',
      `${DESCRIBE} >after; diff before after; tree/run.sh; ls tree/fifo; tail -n 1 after`,
    ]
    const { outputs, blocks } = await inJob(place, directives, t)

    assert.match(outputs[2] ?? '', /^\d\d\n$/)
    assert.match(outputs[3] ?? '', /Restored: tree\./)
    assert.is(outputs[4], "ran\nls: cannot access 'tree/fifo': No such file or directory\n1\n")
    assert.is(blocks.length, 5)
  })

  test(`${place}: restoring over what is there replaces files and keeps what the archive does not name`, async (t) => {
    const directives = [
      'cd "$(mktemp -d)"; mkdir -p t/d; echo old >t/f; ln -s f t/l; echo x >t/d/x; cache store k t',
      'echo new >t/f; rm t/l; echo file >t/l; touch t/extra t/d/y; ln -sf /etc/hostname t/d/x; cache restore k >/dev/null',
      'cat t/f; readlink t/l; ls -1d t/extra t/d/y; cat t/d/x',
    ]
    const { outputs } = await inJob(place, directives, t)

    assert.is(outputs[2], 'old\nf\nt/d/y\nt/extra\nx\n')
  })

  test(`${place}: what would vanish for something of another kind stays, and the restore says so`, async (t) => {
    const restore =
      'out=$(CACHE_FAIL_ON_ERROR=true cache restore k) || echo failed; grep -v ^HIT <<<"$out";'
    const directives = [
      'cd "$(mktemp -d)"; mkdir -p t/d; echo x >t/d/x; echo x >t/f; ln -s f t/l; cache store k t',
      `rm -r t; mkdir -p t/f; touch t/f/mine; ${restore} ls t/f`,
      `rm -r t; mkdir -p t/l; touch t/l/mine; ${restore} ls t/l`,
      `rm -r t; mkdir t; echo mine >t/d; ${restore} cat t/d`,
      `rm -r t; mkdir t real; ln -s ../real t/d; ${restore} ls real; readlink t/d`,
      `rm -r t; ln -s real t; ${restore} ls real; readlink t`,
    ]
    const { outputs } = await inJob(place, directives, t)

    const refused = (path: string, what: string) =>
      new RegExp(`^failed\nerror: /.*/${path} is ${what} in the archive\\. Remove .*\n`)
    const isDirectory = 'a directory, but not'
    const isNone = 'not a directory, but a directory'
    for (const [index, path, what, rest] of [
      [1, 't/f', isDirectory, 'mine\n'],
      [2, 't/l', isDirectory, 'mine\n'],
      [3, 't/d', isNone, 'mine\n'],
      [4, 't/d', isNone, '../real\n'],
      [5, 't', isNone, 'real\n'],
    ] as const) {
      const output = outputs[index] ?? ''
      assert.match(output, refused(path, what))
      assert.is(output.replace(/^failed\nerror.*\n/, ''), rest)
    }
  })

  test(`${place}: where a link leads to the current directory, or a slash follows one, what it leads to is meant`, async (t) => {
    const directives = [
      'cd "$(mktemp -d)"; mkdir real; echo one >real/f; ln -s real link; cd link; cache store here .; (cd ..; cache store slash link/)',
      'echo two >f; echo three >g; cache restore here >/dev/null; cat f g; [[ -L ../link ]] && echo kept',
      'cd ..; rm -r link real; cache restore slash >/dev/null; cat link/f; ls',
    ]
    const { outputs } = await inJob(place, directives, t)

    assert.is(outputs[1], 'one\nthree\nkept\n')
    assert.is(outputs[2], 'one\nlink\n')
  })

  test(`${place}: a single file, a link, the current directory, parents that are missing`, async (t) => {
    const directives = [
      'cd "$(mktemp -d)"; mkdir -p p/q/r here $\'raw\\xff\'; echo one >p/q/r/f; ln -s f p/q/r/l; echo two >here/f',
      "cache store raw $'raw\\xff'; rmdir $'raw\\xff'; cache restore raw >/dev/null; ls -d $'raw\\xff' | tr \"\\377\" X; rmdir $'raw\\xff'",
      'cache store file p/q/r/f; cache store link p/q/r/l; (cd here; cache store here .; cache store up ../p)',
      'rm -r p here; mkdir -p here/now; cd here/now; cache restore file; cache restore link; cache restore here; cache restore up',
      'find . ! -type d | sort; cat p/q/r/l f; ls -d ../../p',
    ]
    const { outputs } = await inJob(place, directives, t)

    assert.match(outputs[1] ?? '', /\nrawX\n$/)
    assert.is(
      outputs[4]?.replace(/\/tmp\/\S*?tmp\.\w+/, 'DIR'),
      './f\n./p/q/r/f\n./p/q/r/l\none\ntwo\n../../p\n',
    )
  })
}

test('container: a job of another user gets its files as its own, also where parents are missing', async (t) => {
  const directives = [
    'cd "$(mktemp -d)"; mkdir -p v/w; echo x >v/w/f; cache store k v/w',
    `rm -r v; cache restore k; stat -c '%u:%g %n' v v/w v/w/f`,
    'cd /; cache restore k; echo $?; ls -d v || :',
    'cd "$(mktemp -d)"; mkdir ro; echo old >ro/f; chmod 555 ro; cache store ro ro; chmod 755 ro; echo new >ro/f; chmod 555 ro; cache restore ro >/dev/null; cat ro/f; stat -c %a ro; cache delete ro >/dev/null',
    'cache store secret /etc/security/opasswd; cache store etc /etc; cache list',
  ]
  const { outputs } = await inJob('container', directives, { ...t, user: '1234:1235' })

  assert.match(outputs[1] ?? '', /1234:1235 v\n1234:1235 v\/w\n1234:1235 v\/w\/f\n$/)
  assert.match(
    outputs[2] ?? '',
    /error: The job's user \(1234:1235\) may not write to \/\..*\n0\nls: cannot access 'v'/,
  )
  assert.match(outputs[3] ?? '', /\nold\n555\n$/)
  assert.match(
    outputs[4] ?? '',
    /^.*\nerror: The job's user .* may not read \/etc\/security\/opasswd\..*\n.*\nerror: The job's user .* may not read etc\/.*\n.*\nk /,
  )
})

for (const place of PLACES) {
  test(`${place}: an archive that somebody has tampered with is refused, and what is outside stays`, async (t) => {
    const store = new DirectoryStore({
      directory: t.cacheDirectory,
      project: '',
      limitBytes: 2 ** 30,
    })
    const file = (name: string, content: string) =>
      Buffer.concat([
        encodeHeader(entry('file', name, content.length)),
        Buffer.from(content),
        padding(content.length),
      ])
    const tampered: Readonly<Record<string, readonly Buffer[]>> = {
      climbing: [encodeHeader(entry('directory', 'd')), file('d/../../outside', 'evil')],
      through: [
        encodeHeader(entry('directory', 'd')),
        encodeHeader(entry('symlink', 'd/l', 0, '..')),
        file('d/l/outside', 'evil'),
      ],
      hard: [
        encodeHeader(entry('directory', 'd')),
        encodeHeader(entry('link', 'd/h', 0, '/etc/passwd')),
      ],
      empty: [],
      cut: [encodeHeader(entry('directory', 'd')), file('d/f', 'x').subarray(0, 700)],
    }
    for (const [key, parts] of Object.entries(tampered)) {
      const end = key === 'cut' ? [] : [END_OF_TAR]
      await store.store(key, compress(give([...parts, ...end])), new AbortController().signal)
    }
    const directives = [
      'cd "$(mktemp -d)"; echo kept >outside; mkdir in; cd in',
      ...Object.keys(tampered).map(
        (key) =>
          `cache restore ${key} | grep -o '^error: The archive [^:]*'; cat ../outside; rm -rf d`,
      ),
    ]
    const { outputs } = await inJob(place, directives, t)

    const refused = 'error: The archive reaches out of its own directory\nkept\n'
    assert.equal(outputs.slice(1), [
      refused,
      refused,
      refused,
      'error: The archive is damaged\nkept\n',
      'error: The archive is damaged\nkept\n',
    ])
  })
}

const entry = (type: TarEntry['type'], name: string, size = 0, target = ''): TarEntry =>
  tarEntry({ name, type, mode: 0o755, size, mtime: 0, target })

async function* give(pieces: readonly Buffer[]): AsyncGenerator<Buffer, void> {
  yield* pieces
}

test('several agents can use one directory at the same time', async (t) => {
  const directive =
    'cd "$(mktemp -d)"; echo $$ >f; for i in {1..20}; do cache store k$i f; cache restore k$i; cache list; done >log; cache has_key k20; grep -c "^error" log || :'
  const jobs = await Promise.all([1, 2, 3].map(() => inJob('host', [directive], t)))

  assert.equal(
    jobs.map(({ outputs }) => outputs),
    Array(3).fill(["Key 'k20' exists in the cache store.\n0\n"]),
  )
})

test('host: a file of more than 8 GiB comes back whole, and with its hole', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'home-'))
  await mkdir(join(home, 'd'))
  await writeFile(join(home, 'd/huge'), 'start')
  await truncate(join(home, 'd/huge'), 8 * 2 ** 30)
  await writeFile(join(home, 'd/huge'), 'end', { flag: 'a' })

  const { job } = await inJob('host', ['cache store k d; rm d/huge; cache restore k'], {
    ...t,
    home,
    limitMs: 200_000,
  })

  const { size, blocks } = await stat(join(home, 'd/huge'))
  const ends = execFileSync('sh', ['-c', 'head -c 5 d/huge; tail -c 3 d/huge'], {
    cwd: home,
    encoding: 'utf8',
  })
  await rm(home, { recursive: true, force: true })
  assert.is(job.result, 'passed')
  assert.is(size, 8 * 2 ** 30 + 3)
  assert.ok(blocks * 512 < 50 * 2 ** 20)
  assert.is(ends, 'startend')
})

test.run()
