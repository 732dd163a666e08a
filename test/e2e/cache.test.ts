/** What `cache` says and how it exits, in both executors: pipelines read these texts. */

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { compress } from '../../lib/cache/archive/compress.ts'
import { DirectoryStore } from '../../lib/cache/directory-store.ts'
import { END_OF_TAR, encodeHeader } from '../../lib/tar/header.ts'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { cacheSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { describeJob, inJob, PLACES } from '../helpers/in-job.ts'
import { tarEntry } from '../helpers/tar-entry.ts'
import { run } from '../setup/run.ts'

const test = cacheSuite('cache')

/** A directive and the whole of its output; times and sizes are masked. */
type Expectation = readonly [directive: string, output: string]

const mask = (text: string) =>
  text
    .replace(/Duration: \d+\.\ds\. Size: [\d.]+[KMGT]?B\./g, 'Duration: D. Size: S.')
    .replace(/\b[\d.]+(B|KB|MB|GB)\b( +(?=\w{3}, ))?/g, 'S ')
    .replace(/ +$/gm, '')
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, 'DATE')

const START = 'cd "$(mktemp -d)"; mkdir -p a/b; echo one >a/b/c'

const TEXTS: readonly Expectation[] = [
  ['cache list; echo $?', 'Cache is empty.\n0\n'],
  ['cache is_not_empty; echo $?', '1\n'],
  ['cache restore x; echo $?', "MISS: 'x'.\n0\n"],
  ['cache has_key x; echo $?', "Key 'x' doesn't exist in the cache store.\n1\n"],
  ['cache delete x; echo $?', "Key 'x' doesn't exist in the cache store.\n0\n"],
  ['cache store k nope; echo $?', "'nope' doesn't exist locally.\n0\n"],
  [
    'mkfifo p; cache store fifo p; cache has_key fifo; echo $?',
    "Uploading 'p' with cache key 'fifo'...\nerror: /tmp/DIR/p is neither a file nor a directory nor a link. Store a file, a directory or a link: pipes, sockets and devices cannot be cached. [ERR_CACHE_FAILED]\nKey 'fifo' doesn't exist in the cache store.\n1\n",
  ],
  [
    'cache store mod/x-1 a; echo $?',
    "Key 'mod/x-1' is normalized to 'mod-x-1'.\nUploading 'a' with cache key 'mod-x-1'...\nUpload complete. Duration: D. Size: S.\n0\n",
  ],
  [
    'cache store mod/x-1 a; echo $?',
    "Key 'mod/x-1' is normalized to 'mod-x-1'.\nKey 'mod-x-1' already exists.\n0\n",
  ],
  ['cache is_not_empty; echo $?', '0\n'],
  [
    'cache has_key mod/x-1; echo $?',
    "Key 'mod/x-1' is normalized to 'mod-x-1'.\nKey 'mod-x-1' exists in the cache store.\n0\n",
  ],
  [
    'echo two >a/b/c; cache store mod-x-2 a >/dev/null; rm -r a; cache restore no-.*,mod-x; cat a/b/c',
    "MISS: 'no-.*'.\nHIT: 'mod-x', using key 'mod-x-2'.\nRestored: a. Duration: D. Size: S.\ntwo\n",
  ],
  [
    'cache store k a >/dev/null; cache store k2 a >/dev/null; cache restore k | head -n 1; cache has_key k.; cache delete k >/dev/null; cache delete k2',
    "HIT: 'k', using key 'k'.\nKey 'k.' doesn't exist in the cache store.\nKey 'k2' is deleted.\n",
  ],
  [
    'cache restore mod-x-1,mod-x-2; cat a/b/c',
    "HIT: 'mod-x-1', using key 'mod-x-1'.\nRestored: a. Duration: D. Size: S.\none\n",
  ],
  [
    "cache restore '[' ; cache restore '^d-x|x-2$'",
    "MISS: '['.\nHIT: '^d-x|x-2$', using key 'mod-x-2'.\nRestored: a. Duration: D. Size: S.\n",
  ],
  [
    'cache store abs "$PWD/a/b" >/dev/null; rm -r a; (cd /; cache restore abs) | tail -n 1 | grep -o "^Restored: /.*/a/b"; cat a/b/c',
    'Restored: /tmp/DIR/a/b\ntwo\n',
  ],
  [
    'cache list',
    `${'KEY'.padEnd(60)} ${'SIZE'.padEnd(12)} STORED AT\n${['abs', 'mod-x-2', 'mod-x-1'].map((key) => `${key.padEnd(60)} S DATE\n`).join('')}`,
  ],
  [
    'SEMAPHORE_PROJECT_ID=other cache has_key abs; export SEMAPHORE_PROJECT_ID=other; cache delete abs; unset SEMAPHORE_PROJECT_ID; cache has_key abs; echo $?',
    "Key 'abs' exists in the cache store.\nKey 'abs' is deleted.\nKey 'abs' doesn't exist in the cache store.\n1\n",
  ],
  ['cache usage', 'FREE SPACE: S\nUSED SPACE: S\n'],
  [
    'cache delete mod-x-2; cache has_key mod-x-2; echo $?',
    "Key 'mod-x-2' is deleted.\nKey 'mod-x-2' doesn't exist in the cache store.\n1\n",
  ],
  ['cache clear; cache list; echo $?', 'Deleted all caches.\nCache is empty.\n0\n'],
  ['cache store; cache restore', 'Nothing to store in cache.\nNothing to restore from cache.\n'],
  ["cache store '' a; echo $?", 'error: A key is empty. Give it a name. [ERR_CACHE_FAILED]\n0\n'],
  [
    "cache restore ''; cache restore ,; echo $?",
    'error: A key is empty. Give it a name. [ERR_CACHE_FAILED]\nerror: A key is empty. Give it a name. [ERR_CACHE_FAILED]\n0\n',
  ],
  [
    'cache frob | head -n 1; cache store k | head -n 1; cache | head -n 1',
    "error: cache has no command 'frob'\nerror: cache store: wrong number of arguments (1)\nerror: a command is missing\n",
  ],
  [
    'cache frob >/dev/null; echo $?; CACHE_FAIL_ON_ERROR=true cache frob >/dev/null; echo $?',
    '0\n1\n',
  ],
  [
    "CACHE_FAIL_ON_ERROR=true cache store '' a; echo $?",
    'error: A key is empty. Give it a name. [ERR_CACHE_FAILED]\n1\n',
  ],
  [
    'export CACHE_FAIL_ON_ERROR=true; cache restore x; cache store k nope; echo $?',
    "MISS: 'x'.\n'nope' doesn't exist locally.\n0\n",
  ],
  [
    'SEMAPHORE_CACHE_BACKEND=tape cache list | cut -d. -f1',
    "error: There is no cache backend 'tape'\n",
  ],
]

const LOCK_FILES: readonly (readonly [
  file: string,
  ...caches: (readonly [prefix: string, path: string])[],
])[] = [
  ['.nvmrc', ['nvm', '$HOME/.nvm']],
  ['Gemfile.lock', ['gems', 'vendor/bundle']],
  ['package-lock.json', ['node-modules', 'node_modules']],
  ['yarn.lock', ['yarn-cache', '$HOME/.cache/yarn'], ['node-modules', 'node_modules']],
  ['mix.lock', ['mix-deps', 'deps'], ['mix-build', '_build']],
  ['requirements.txt', ['requirements', '.pip_cache']],
  ['composer.lock', ['composer', 'vendor']],
  ['pom.xml', ['maven', '.m2'], ['maven-target', 'target']],
  ['Podfile.lock', ['pods', 'Pods']],
  ['go.sum', ['go', '$HOME/go/pkg/mod']],
]

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** Each lock file holds its own name. */
const autoStored = (branch: string) =>
  LOCK_FILES.flatMap(([file, ...caches]) =>
    caches.map(
      ([prefix, path]) =>
        `Detected ${file}.\nUsing default cache path '${path}'.\nUploading '${path}' with cache key '${prefix}-${branch}-${md5(file)}'...\nUpload complete. Duration: D. Size: S.\n`,
    ),
  ).join('')

const autoRestored = (branch: string, stored: string) =>
  LOCK_FILES.flatMap(([file, ...caches]) =>
    caches.map(([prefix, path]) => {
      const exact = `${prefix}-${branch}-${md5(file)}`
      const keys = [
        ...new Set([exact, `${prefix}-${branch}`, `${prefix}-master`, `${prefix}-main`]),
      ]
      const misses = branch === stored ? [] : keys.slice(0, keys.indexOf(`${prefix}-${stored}`))
      const hit = branch === stored ? exact : `${prefix}-${stored}`
      return [
        `Detected ${file}.\nFetching '${path}' directory with cache keys '${keys.join(',')}'...\n`,
        ...misses.map((key) => `MISS: '${key}'.\n`),
        `HIT: '${hit}', using key '${prefix}-${stored}-${md5(file)}'.\nRestored: ${path}. Duration: D. Size: S.\n`,
      ].join('')
    }),
  ).join('')

const paths = LOCK_FILES.flatMap(([, ...caches]) => caches.map(([, path]) => path))

const MAKE_ALL = `cd "$(mktemp -d)"; export HOME=$PWD/home
for f in ${LOCK_FILES.map(([file]) => file).join(' ')}; do printf %s $f >$f; done
for d in ${paths.join(' ')}; do mkdir -p $d; echo $d >$d/f; done`

const LOOK_AT_ALL = `for d in ${paths.join(' ')}; do [[ $(<$d/f) == $d ]] || echo lost $d; done`

/** With holes, where it is unpacked: nothing but zeros. */
async function* createHugeTar(name: string, size: number): AsyncGenerator<Buffer, void> {
  yield encodeHeader(tarEntry({ name, size, mtime: 0 }))
  const zeros = Buffer.alloc(4 * 2 ** 20)
  for (let left = size; left > 0; left -= zeros.length) yield zeros
  yield END_OF_TAR
}

test('what is larger than the limit of the whole cache is refused, and what is there stays', async (t) => {
  const directives = [
    'cd "$(mktemp -d)"; echo x >small; head -c 100000 /dev/urandom >large; cache store small small >/dev/null',
    'cache store large large; echo $?; CACHE_FAIL_ON_ERROR=true cache store large large >/dev/null; echo $?',
    'cache list | wc -l',
  ]
  const { outputs } = await inJob('host', directives, { ...t, args: ['--cache-limit', '64k'] })

  assert.is(
    outputs[1],
    "Uploading 'large' with cache key 'large'...\nerror: 'large' is larger than the limit of the whole cache (65536 bytes). Store less under this key, or give the cache more space with --cache-limit. [ERR_CACHE_FAILED]\n0\n1\n",
  )
  assert.is(outputs[2], '2\n')
})

test('on a full disk the keys that were not used for the longest time give way; what does not fit is said', async (t) => {
  const disk = join(t.cacheDirectory, 'disk')
  await mkdir(disk)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'none', disk], { limitMs: 10_000 })
  const directives = [
    'cd "$(mktemp -d)"; for i in a b; do head -c 7M /dev/urandom >$i; cache store $i $i >/dev/null; done; cache restore a >/dev/null',
    'checksum a; mv a c; cache store c c >/dev/null; rm c; cache restore c >/dev/null; checksum c; cache list | cut -c -3',
    `cd ${disk}; cache restore c | tail -n 1; echo $?; rm c`,
    'cd "$OLDPWD"; head -c 21M /dev/urandom >d; CACHE_FAIL_ON_ERROR=true cache store d d; echo $?; cache list; rm b d',
  ]
  const { outputs } = await inJob('host', directives, {
    cacheDirectory: join(disk, 'cache'),
  }).finally(() => run('umount', [disk], { limitMs: 10_000 }))

  const [sum, ...lines] = (outputs[1] ?? '').split('\n')
  assert.equal(lines, [sum, 'KEY', 'c  ', 'a  ', ''])
  assert.match(
    outputs[2] ?? '',
    /^error: The archive cannot be unpacked: ENOSPC: .*space\. \[ERR_CACHE_FAILED\]\n0\n$/,
  )
  assert.match(
    outputs[3] ?? '',
    /\nerror: The cache in \S+ cannot be used: ENOSPC: .* disk has room,.* \[ERR_CACHE_FAILED\]\n1\nCache is empty\.\n$/,
  )
})

test('host: what is cut short while it is stored is said to be so, and not stored', async (t) => {
  const store =
    'cd "$(mktemp -d)"; mkdir d; truncate -s 8G d/a; exec 3< <(cache store k d); read -r line <&3; until [[ -s $(compgen -G "$CACHE/*/.*.part") ]]; do sleep 0.01; done; : >d/a; cat <&3; cache list'
  const variables = { CACHE: t.cacheDirectory }
  const { outputs } = await inJob('host', [store], { ...t, variables })

  assert.match(
    outputs[0] ?? '',
    /^error: \/\S+\/d\/a has changed while it was read\. Store it once nothing writes to it any more\. \[ERR_CACHE_FAILED\]\nCache is empty\.\n$/,
  )
})

test('an agent that is killed while it stores leaves no key, and the next one can store it', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'home-'))
  const store = 'cd; truncate -s 100G huge; cache store k huge'
  const job = await startJob(describeJob('host', [store]), {
    home,
    args: ['--cache-dir', t.cacheDirectory],
  })
  const keptNames = async () => await readdir(join(t.cacheDirectory, '~')).catch(() => [])
  await waitFor(async () => (await keptNames()).length > 0, 'the archive is being written')
  job.signal('SIGKILL')
  await job.exited

  const { outputs } = await inJob('host', ['cache list; cd; echo 1 >f; cache store k f'], t)

  await rm(home, { recursive: true, force: true })
  assert.match(outputs[0] ?? '', /^Cache is empty\.\nUploading .*\nUpload complete\./)
  assert.equal(
    (await keptNames()).filter((name) => !name.endsWith('.part')),
    ['k.tar.zst'],
  )
})

test('container: what is cut short while it is stored is said to be so, and not stored', async (t) => {
  const store =
    'cd; mkdir d; truncate -s 8G d/a; exec 3< <(cache store k d); read -r line <&3; until [[ -s $(compgen -G "cache/*/.*.part") ]]; do sleep 0.01; done; : >d/a; cat <&3; cache list'
  const { outputs } = await inJob('container', [store], {
    ...t,
    args: ['--files', `${t.cacheDirectory}:/root/cache`],
  })

  assert.is(
    outputs[0],
    'error: /root/d has changed while it was read. Store it once nothing writes to it any more. [ERR_CACHE_FAILED]\nCache is empty.\n',
  )
})

test('container: what the engine cannot see is neither stored nor said to be restored', async (t) => {
  const directives = [
    'cd /dev/shm; echo 1 >f; cache store shm f; cache store shm ../shm/; cache store sock /run/docker.sock; cache list',
    'cd; echo 2 >g; cache store k g >/dev/null; cd /dev/shm; CACHE_FAIL_ON_ERROR=true cache restore k || echo $?; cd /proc; cache restore k | tail -n 1; ls /dev/shm',
  ]
  const { outputs } = await inJob('container', directives, t)

  const unseen = (path: string) =>
    `error: ${path} is on a file system of the kernel, which the engine cannot read. Use a directory on the container's disk. [ERR_CACHE_FAILED]\n`
  assert.is(
    outputs[0],
    `${unseen('/dev/shm/f')}${unseen('/dev/shm/')}Uploading '/run/docker.sock' with cache key 'sock'...\nerror: /run/docker.sock is neither a file nor a directory nor a link. Store a file, a directory or a link: pipes, sockets and devices cannot be cached. [ERR_CACHE_FAILED]\nCache is empty.\n`,
  )
  assert.is(outputs[1], `HIT: 'k', using key 'k'.\n${unseen('/dev/shm')}1\n${unseen('/proc')}f\n`)
})

test('a job has the keys of its request’s project, whatever its shell exports', async (t) => {
  const own = ['cd "$(mktemp -d)"; echo own >f; cache store k f >/dev/null; cache list | wc -l']
  const foreign = [
    'export SEMAPHORE_PROJECT_ID=a; cache list; cd "$(mktemp -d)"; echo evil >f; cache store k f | tail -n 1 | cut -c -6',
    'cache delete k; SEMAPHORE_PROJECT_ID= cache clear',
  ]
  const as = (project?: string) => ({
    ...t,
    variables: project === undefined ? {} : { SEMAPHORE_PROJECT_ID: project },
  })
  const environment = { SEMAPHORE_PROJECT_ID: 'a' }

  const stored = await inJob('host', own, as('a'))
  const others = await Promise.all([inJob('host', foreign, as('b')), inJob('host', foreign, as())])
  const again = await inJob(
    'host',
    ['cache restore k >/dev/null; cat f; cache list | wc -l'],
    as('a'),
  )
  const ofHost = await inJob('host', ['cache has_key k'], { ...as(), environment })
  const ofContainer = await runJob(
    containerJob({ env_vars: [{ name: 'SEMAPHORE_PROJECT_ID', value: encode('a') }] }, [
      'cache has_key k',
    ]),
    { args: ['--cache-dir', t.cacheDirectory] },
  )

  assert.equal(stored.outputs, ['2\n'])
  for (const { outputs } of others) {
    assert.equal(outputs, [
      'Cache is empty.\nUpload\n',
      "Key 'k' is deleted.\nDeleted all caches.\n",
    ])
  }
  assert.equal(again.outputs, ['own\n2\n'])
  assert.equal(ofHost.outputs, ["Key 'k' exists in the cache store.\n"])
  assert.is(blocksOf(ofContainer.events).at(-2)?.output, "Key 'k' exists in the cache store.\n")
})

for (const place of PLACES) {
  test(`${place}: every command's text and exit code`, async (t) => {
    const { blocks } = await inJob(place, [START, ...TEXTS.map(([directive]) => directive)], t)

    assert.equal(
      blocks
        .slice(1)
        .map(({ directive, output }) => [
          directive,
          mask(output).replace(/\/tmp\/\S*?tmp\.\w+/, '/tmp/DIR'),
        ]),
      TEXTS,
    )
  })

  test(`${place}: lock files say what to store and restore, under which keys`, async (t) => {
    const directives = [
      MAKE_ALL,
      'unset SEMAPHORE_GIT_BRANCH; cache store >/dev/null; SEMAPHORE_GIT_BRANCH=dev cache store',
      `rm -rf ${paths.join(' ')}; SEMAPHORE_GIT_BRANCH=dev cache restore; ${LOOK_AT_ALL}`,
      `cache delete nvm-dev-${md5('.nvmrc')} >/dev/null; SEMAPHORE_GIT_BRANCH=dev SEMAPHORE_GIT_PR_BRANCH=pr cache restore`,
    ]
    const { outputs, job } = await inJob(place, directives, t)

    const home = /Using default cache path '(.*)\/\.nvm'/.exec(outputs[1] ?? '')?.[1] ?? ''
    const shown = outputs.map((output) => mask(output).replaceAll(home, '$HOME'))
    assert.is(job.result, 'passed')
    // The second file of yarn and the one of npm share a prefix and a path, but not a key.
    assert.is(shown[1], autoStored('dev'))
    assert.is(shown[2], autoRestored('dev', 'dev'))
    // Two lock files share this prefix: the newest of their keys is taken.
    const maskKey = (text: string) => text.replace(/(using key 'node-modules-master-)\w+/g, '$1KEY')
    assert.is(maskKey(shown[3] ?? ''), maskKey(autoRestored('pr', 'master')))
  })

  test(`${place}: a pipe in the place of a lock file is neither waited for nor read`, async (t) => {
    const directives = [
      'cd "$(mktemp -d)"; mkfifo package-lock.json',
      "bash -c 'for i in {1..6}; do cache store & done; wait'; cache list",
    ]
    const { outputs } = await inJob(place, directives, t)

    assert.match(outputs[1] ?? '', /(error: \S+package-lock\.json \S.*\n){6}Cache is empty\.\n$/)
  })

  test(`${place}: a stop in the middle of a store ends it at once, and leaves nothing`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'home-'))
    const directives = ['cd; truncate -s 100G huge; cache store k huge', 'echo more']
    const job = await startJob(describeJob(place, directives), {
      home: directory,
      args: ['--cache-dir', t.cacheDirectory],
    })
    const stored = async () => (await readdir(t.cacheDirectory, { recursive: true })).join()
    await waitFor(
      async () => job.stdout.includes('Uploading') && (await stored()).includes('.part'),
      'the archive is being written',
    )

    job.signal('SIGTERM')
    const { events, result } = await job.finished

    assert.is(result, 'stopped')
    assert.equal(blocksOf(events).at(-1), {
      directive: directives[0],
      output: "Uploading 'huge' with cache key 'k'...\n",
      exitCode: 1,
    })
    assert.is(await stored(), '~')
    await rm(directory, { recursive: true, force: true })
  })

  test(`${place}: a stop in the middle of a restore ends it at once, and keeps the key`, async (t) => {
    const home = await mkdtemp(join(tmpdir(), 'home-'))
    const store = new DirectoryStore({
      directory: t.cacheDirectory,
      project: '',
      limitBytes: 2 ** 30,
    })
    const never = new AbortController().signal
    await store.store('k', compress(createHugeTar('huge', 4 * 2 ** 30)), never)
    const directives = ['cd; cache restore k', 'echo more']
    const job = await startJob(describeJob(place, directives), {
      home,
      args: ['--cache-dir', t.cacheDirectory],
    })
    await waitFor(() => job.stdout.includes('HIT'), 'the archive is being unpacked')

    job.signal('SIGTERM')
    const { events, result } = await job.finished

    assert.is(result, 'stopped')
    assert.equal(blocksOf(events).at(-1), {
      directive: directives[0],
      output: "HIT: 'k', using key 'k'.\n",
      exitCode: 1,
    })
    assert.equal(await readdir(join(t.cacheDirectory, '~')), ['k.tar.zst'])
    await rm(home, { recursive: true, force: true })
  })

  test(`${place}: a store that is ended by a signal is given up, and the next one need not wait`, async (t) => {
    const home = await mkdtemp(join(tmpdir(), 'home-'))
    const directives = [
      'cd; truncate -s 100G huge; timeout 1 cache store k huge; echo $?',
      'cache store z /etc/passwd >/dev/null; cache list | wc -l',
    ]
    const { outputs } = await inJob(place, directives, { ...t, home })
    await rm(home, { recursive: true, force: true })

    assert.is(outputs[0], "Uploading 'huge' with cache key 'k'...\n124\n")
    assert.is(outputs[1], '2\n')
    assert.equal((await readdir(join(t.cacheDirectory, '~'))).sort(), ['z.tar.zst'])
  })

  test(`${place}: a shell that dies takes its store along, and the next one can store`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'home-'))
    const directives = [
      'cd; truncate -s 100G huge; exec 3< <(cache store k huge); read -r line <&3; exit 3',
    ]
    const after = 'cache store k /etc/passwd; cache list | wc -l'
    const { events } = await runJob(
      {
        ...describeJob(place, directives),
        epilogue_always_commands: [{ directive: after }],
      },
      { home: directory, args: ['--cache-dir', t.cacheDirectory] },
    )
    await rm(directory, { recursive: true, force: true })

    const blocks = blocksOf(events)
    assert.is(blocks.find(({ directive }) => directive === directives[0])?.exitCode, 3)
    assert.match(
      mask(blocks.at(-1)?.output ?? ''),
      /^Uploading '\/etc\/passwd' with cache key 'k'...\nUpload complete. Duration: D. Size: S.\n2\n$/,
    )
  })
}

test.run()
