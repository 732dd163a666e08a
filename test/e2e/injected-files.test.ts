/** Files of a job where something stands already: the same on the host and in a container. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { encode, type FinishedJob, runJob } from '../helpers/agent.ts'
import { besideSuite } from '../helpers/beside-suite.ts'
import { containerJob } from '../helpers/container-job.ts'
import { type Block, blocksOf } from '../helpers/events.ts'

interface File {
  readonly path: string
  readonly content?: string
  readonly mode?: string
}

/** Runs before the job, in its home. */
const OBSTACLES = `mkdir dir full; touch full/kept; mkfifo fifo; mknod null c 1 3; chmod 640 null
  ln -s nowhere dangling; ln -s b a; ln -s a b; ln -s fifo to-fifo; ln -s dir to-dir; ln -s null to-null
  echo before >file; chmod 755 file
  ln -s file to-file; mkdir deep; ln -s ../to-file deep/to-file; ln -s /dev/null to-dev-null`

/** What the obstacles look like after the job. */
const LOOK = `for path in dir full/kept fifo null dangling a b to-fifo to-dir to-null to-file to-dev-null; do
  stat -c '%n %a %F %N' $path; done; ls -1; stat -L -c '%F %a' /dev/null`

const UNTOUCHED = `dir 755 directory 'dir'
full/kept 644 regular empty file 'full/kept'
fifo 644 fifo 'fifo'
null 640 character special file 'null'
dangling 777 symbolic link 'dangling' -> 'nowhere'
a 777 symbolic link 'a' -> 'b'
b 777 symbolic link 'b' -> 'a'
to-fifo 777 symbolic link 'to-fifo' -> 'fifo'
to-dir 777 symbolic link 'to-dir' -> 'dir'
to-null 777 symbolic link 'to-null' -> 'null'
to-file 777 symbolic link 'to-file' -> 'file'
to-dev-null 777 symbolic link 'to-dev-null' -> '/dev/null'
a\nb\ndangling\ndeep\ndir\nfifo\nfile\nfull\nnull\nto-dev-null\nto-dir\nto-fifo\nto-file\nto-null
character special file 666
`

type Run = (files: readonly File[], commands: readonly string[]) => Promise<readonly Block[]>

async function runOnHost(files: readonly File[], commands: readonly string[]) {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  try {
    execFileSync('bash', ['-c', `umask 022; cd ${home}; ${OBSTACLES}`])
    const epilogue = commands.map((directive) => ({ directive }))
    return toBlocks(
      await runJob({ ...requestOf(files), epilogue_always_commands: epilogue }, { home }),
    )
  } finally {
    rmSync(home, { recursive: true })
  }
}

async function runInContainer(
  files: readonly File[],
  commands: readonly string[],
  args: readonly string[] = [],
) {
  const prepare = `mkdir -p /home/job; cd /home/job; ${OBSTACLES}; exec "$@"`
  const main = {
    entrypoint: ['bash', '-c', prepare, 'entrypoint'],
    env_vars: [{ name: 'HOME', value: encode('/home/job') }],
  }
  const epilogue = commands.map((directive) => ({ directive }))
  const rest = { ...requestOf(files), epilogue_always_commands: epilogue }
  return toBlocks(await runJob(containerJob(main, [], rest), { args }))
}

function requestOf(files: readonly File[]) {
  return { files: files.map((file) => ({ content: encode('new\n'), mode: '0777', ...file })) }
}

/** From the injection on, without the second export. */
function toBlocks({ events }: FinishedJob): readonly Block[] {
  const blocks = blocksOf(events)
  return blocks
    .slice(blocks.findIndex(({ directive }) => directive === 'Injecting Files'))
    .filter(({ directive }) => directive !== 'Exporting environment variables')
}

const test = besideSuite('injected files')

const EXECUTORS: Readonly<Record<string, Run>> = { host: runOnHost, container: runInContainer }

const OBSTRUCTED = [
  ...['fifo', 'null', 'dangling', 'a', 'to-null', 'to-dev-null', '~', '~/dir/', '~/new/'],
  ...['fifo/below', 'dangling/below', '/dev/null'],
]

/** Of the same kinds; a job in a container takes too long for all of them. */
const MORE = [
  ...['dir', 'to-fifo', 'to-dir', '~/', 'new/.', 'new/..', '/', 'full/kept/below', 'a/below'],
  'file/',
]

for (const [name, run] of Object.entries(EXECUTORS)) {
  for (const path of name === 'host' ? [...OBSTRUCTED, ...MORE] : OBSTRUCTED) {
    test(`${name}: ${path} is refused, and all stays as it was`, async () => {
      const [injected, look] = await run([{ path }, { path: 'later' }], [LOOK])

      assert.is(injected?.exitCode, 1)
      assert.match(
        injected?.output ?? '',
        new RegExp(`^Injecting ${path} with file mode 0777\nFailed to write /[^\n]*: [^\n]+\n`),
      )
      assert.not.match(injected?.output ?? '', 'later')
      assert.is(look?.output, UNTOUCHED)
    })
  }

  test(`${name}: through links to a file that file is written, and the links stay`, async () => {
    const [injected, look] = await run(
      [{ path: 'deep/to-file', mode: '0640' }],
      ["stat -c '%n %a %F' file to-file deep/to-file; cat file; ls /file /deep 2>/dev/null"],
    )

    assert.is(injected?.exitCode, 0)
    assert.is(
      look?.output,
      'file 640 regular file\nto-file 777 symbolic link\ndeep/to-file 777 symbolic link\nnew\n',
    )
  })

  test(`${name}: more files than are asked for one by one go the same ways`, async () => {
    const many = Array.from({ length: 30 }, (_, i) => ({ path: `many/${i}/file` }))
    const [injected, look] = await run(
      [...many, { path: 'deep/to-file' }, { path: 'a' }, { path: 'later' }],
      ['ls many | wc -l; cat file; ls later'],
    )

    assert.is(injected?.output.split('\n').length, 34)
    assert.match(
      injected?.output ?? '',
      /Injecting a with file mode 0777\nFailed to write [^\n]*\/a: /,
    )
    assert.match(look?.output ?? '', /^30\nnew\nls: .*later/)
  })

  test(`${name}: modes are what chmod makes of them`, async () => {
    const modes = ['0', '000', 'a=', '0644', '+x', 'u=rw,go=', '4755', '01777', 'g+w', '400']
    const files = modes.map((mode, i) => ({ path: `mode-${i}`, mode }))
    const [injected, look] = await run(
      [...files, { path: 'file', mode: 'a=' }],
      ['stat -c %a mode-* file | tr "\\n" " "'],
    )

    assert.is(injected?.exitCode, 0)
    assert.is(look?.output, '0 0 0 644 755 600 4755 1777 664 400 0 ')
  })

  for (const mode of name === 'host' ? ['888', '+q', '077777', '-1', 'u+x,'] : ['888', '+q']) {
    test(`${name}: ${mode} is no mode, and the files stop there`, async () => {
      const [injected, look] = await run(
        [{ path: 'one' }, { path: 'two', mode }, { path: 'three' }],
        ['ls one two three 2>/dev/null'],
      )

      const lines = `Injecting one with file mode 0777\nInjecting two with file mode ${mode}\n`
      assert.is(injected?.output, `${lines}Failed to set file mode to ${mode}\n`)
      assert.is(look?.output, 'one\n')
    })
  }

  test(`${name}: content that is not base64 is told in its turn, and the files stop there`, async () => {
    const [injected, look] = await run(
      [{ path: 'one' }, { path: 'two', content: '=' }, { path: 'three' }],
      ['ls one two three 2>/dev/null'],
    )

    assert.match(
      injected?.output ?? '',
      /^Injecting one .*\nInjecting two .*\nThe content of two is not base64: .* \[ERR_CONTENT_INVALID\]\n/,
    )
    assert.is(injected?.exitCode, 1)
    assert.is(look?.output, 'one\n')
  })

  test(`${name}: a file that another one before it has made a file of is not a directory`, async () => {
    const [injected, look] = await run(
      [{ path: 'x' }, { path: 'x/y' }, { path: 'z' }],
      ['cat x; ls z 2>/dev/null'],
    )

    assert.match(
      injected?.output ?? '',
      /^Injecting x .*\nInjecting x\/y .*\nFailed to write [^\n]*\/x\/y: [^\n]+\n/,
    )
    assert.is(look?.output, 'new\n')
  })
}

test('container: what the engine refuses stops the files there, whatever came before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mounted-'))
  const mounted = join(directory, 'mounted')
  writeFileSync(mounted, 'the host’s own')
  try {
    const [injected, look] = await runInContainer(
      [{ path: 'one' }, { path: '/mounted' }, { path: 'three' }],
      ['ls one three 2>/dev/null'],
      ['--files', `${mounted}:/mounted`],
    )

    assert.match(
      injected?.output ?? '',
      /^Injecting one .*\nInjecting \/mounted .*\nFailed to write \/mounted: [^\n]+\n/,
    )
    assert.is(look?.output, 'one\n')
    assert.is(readFileSync(mounted, 'utf8'), 'the host’s own')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test.run()
