/**
 * The agent's own files in a job's main container: where they are, whose they are, what they say.
 * They are made before the container starts, as far as they are known by then. Pure.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'
import { bootScript, OWN_STEPS, SHELL_ARGUMENTS } from '../../shell/boot.ts'
import { formatCheckedExports, type Variable } from '../../shell/exports.ts'
import { createToken } from '../../shell/marks.ts'
import type { ArchiveEntry } from '../../tar/pack.ts'
import { pathAfter, toolboxFiles, toolboxPrelude } from '../../toolbox/toolbox-files.ts'

/** Whom the job's shell runs as. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

const READABLE = 0o644
const SECRET = 0o600

/** bash reads the first of these that exists; ours must not hide the others. */
const CREATED_PROFILE =
  'if [ -r ~/.bash_login ]; then . ~/.bash_login; elif [ -r ~/.profile ]; then . ~/.profile; fi'

export class Staging {
  readonly bootToken = createToken()
  /** Unguessable, so that no image and no job has something of its own there. */
  readonly directory = `/.agent-${randomBytes(8).toString('hex')}`

  /** What the main container runs. */
  get startPath(): string {
    return `${this.directory}/start`
  }

  /** The job's shell is known by this word of its command line. */
  get bootPath(): string {
    return `${this.directory}/boot`
  }

  get toolboxPath(): string {
    return `${this.directory}/toolbox`
  }

  /**
   * The directory itself and the scripts that lead to a shell.
   *
   * @param directives how many there may come, at most
   */
  boot({ uid, gid }: Owner, directives: number): ArchiveEntry[] {
    const start = Buffer.from(startScript(this.bootPath))
    const boot = bootScript({
      token: this.bootToken,
      directory: this.directory,
      steps: directives + OWN_STEPS,
      prelude: toolboxPrelude(this.toolboxPath),
    })
    return [
      { path: this.directory, mode: 0o755, uid: 0, gid: 0 },
      { path: this.startPath, content: start, mode: READABLE, uid, gid },
      { path: this.bootPath, content: Buffer.from(boot), mode: READABLE, uid, gid },
      ...this.#toolbox(),
    ]
  }

  /** `checkout`, `cache` and the others; readable and usable by whomever the job becomes. */
  #toolbox(): ArchiveEntry[] {
    const root = { uid: 0, gid: 0 }
    return [
      { path: this.toolboxPath, mode: 0o755, ...root },
      ...toolboxFiles(this.toolboxPath).map(({ name, ...file }) => ({
        path: `${this.toolboxPath}/${name}`,
        ...file,
        ...root,
      })),
      { path: `${this.toolboxPath}/requests`, fifo: true, mode: 0o666, ...root },
      { path: `${this.toolboxPath}/asks`, mode: 0o755, ...root },
      { path: `${this.toolboxPath}/asks/0`, fifo: true, mode: 0o600, ...root },
    ]
  }

  /** Named by its text: the same directive twice is one file. */
  directive(text: string): ArchiveEntry {
    const content = Buffer.from(text)
    const path = `${this.directory}/${digest(content)}`
    return { path, content, mode: READABLE, uid: 0, gid: 0 }
  }

  /** Every exported variable of the job so far, for shells that start later. */
  environmentFile({ uid, gid }: Owner): ArchiveEntry {
    const path = `${this.directory}/env-${uid}`
    return { path, content: Buffer.alloc(0), mode: SECRET, uid, gid }
  }

  /**
   * The files by which a set of variables is exported, the one to run last. The values are in a
   * file of their own, which only the job's user can read.
   *
   * @throws {ContentError} for a variable bash cannot have
   */
  exports(variables: readonly Variable[], { uid, gid }: Owner): [ArchiveEntry, ArchiveEntry] {
    const content = Buffer.concat([
      formatCheckedExports(variables),
      Buffer.from(pathAfter(variables, this.toolboxPath)),
    ])
    const path = `${this.directory}/vars-${uid}-${digest(content)}`
    return [
      { path, content, mode: SECRET, uid, gid },
      this.directive(exportScript(path, this.environmentFile({ uid, gid }).path)),
    ]
  }
}

/**
 * The job's shell is not process 1: the kernel keeps KILL and other signals from that one, and
 * `kill -9 $$` would do nothing. Process 1 reaps orphans and passes the exit code on; what it has
 * to say of a killed child is for nobody.
 */
function startScript(bootPath: string): string {
  return `exec 2>/dev/null
SHLVL=0
bash ${SHELL_ARGUMENTS.join(' ')} ${bootPath} 2>&1
exit $?
`
}

/**
 * Written by the shell itself, not by an archive: it knows its home, and needs no round trip. A
 * home that cannot be written to is no error: only a person who logs in there misses the variables.
 * The shell gets them first: on a full disk it has them all the same.
 */
function exportScript(variables: string, environment: string): string {
  return `[[ -s ${environment} ]] || {
  [[ -e ~/.bash_profile ]] || \\builtin printf '%s\\n' '${CREATED_PROFILE}' >~/.bash_profile
  \\builtin printf '%s\\n' '[ ! -r ${environment} ] || . ${environment}' >>~/.bash_profile
} 2>/dev/null || \\builtin :
\\builtin . ${variables} || \\builtin return 1
\\builtin printf '. %s\\n' ${variables} >>${environment}
`
}

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}
