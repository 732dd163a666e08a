import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseFileMode } from '../../../lib/executors/file-mode.ts'

const test = suite('executors: file mode')

const MODES =
  `0644 600 0 000 4755 7777 00755 +x a+x u+x go-r u=rw,go= =r = a= +w o+w ug+w,o-r u+s g+s a+s +s +t o+t u+t
  a=rX u+X g=u o=g,u=o u=rwx,g=rx,o=r u+rw-x a-rwx,u+r +X -x u-w+x g+w-r go=u`.split(/\s+/)

test('every mode gives what the program chmod makes of it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mode-'))
  const path = join(directory, 'file')
  try {
    writeFileSync(path, '')
    const script = 'umask "$3"; chmod -- "$1" "$2" 2>/dev/null || :'
    for (const umask of [0o022, 0o077, 0o002, 0]) {
      for (const mode of MODES) {
        chmodSync(path, 0o666 & ~umask)
        execFileSync('bash', ['-c', script, '-', mode, path, umask.toString(8)])

        assert.is(parseFileMode(mode, umask), statSync(path).mode & 0o7777, `mode ${mode}`)
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('what chmod refuses is no mode', () => {
  for (const mode of [
    '',
    'x',
    '888',
    '99999',
    '77777',
    'u',
    'u+z',
    '+x,',
    ',+x',
    'bad',
    '0x1ff',
    '-1',
  ]) {
    assert.is(parseFileMode(mode), undefined, `mode "${mode}"`)
  }
})

test.run()
