/**
 * Where this process may make control groups: below its own, in the hierarchy by which processes
 * can be ended together. Pure.
 *
 * @see man 7 cgroups, man 5 proc_pid_cgroup, man 5 proc_pid_mountinfo
 * @module
 */

import { join } from 'node:path'

/**
 * @param own text of `/proc/self/cgroup`
 * @param mounts text of `/proc/self/mountinfo`
 * @returns this process's directory: of version 2 if that is mounted, else that of version 1's
 *   freezer; undefined where neither is to be seen
 */
export function findOwnCgroup(own: string, mounts: string): string | undefined {
  const hierarchies = mounts.split('\n').flatMap(parseHierarchy)
  const lines = own.split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
  const pathIn = (controller: string): string | undefined =>
    lines.find((line) => line?.[1]?.split(',').includes(controller))?.[2]
  for (const [kind, path] of [
    ['cgroup2', pathIn('')],
    ['freezer', pathIn('freezer')],
  ] as const) {
    const hierarchy = hierarchies.find((candidate) => candidate.kind === kind)
    const below = path === undefined ? undefined : pathBelow(path, hierarchy?.root)
    if (hierarchy !== undefined && below !== undefined) return join(hierarchy.mountPoint, below)
  }
  return undefined
}

interface Hierarchy {
  readonly kind: 'cgroup2' | 'freezer'
  /** What of the hierarchy is mounted, as `/proc/self/cgroup` counts it. */
  readonly root: string
  readonly mountPoint: string
}

function parseHierarchy(line: string): Hierarchy[] {
  const [mount = '', filesystem = ''] = line.split(' - ')
  const [, , , root = '', mountPoint = ''] = mount.split(' ').map(unescapeOctal)
  const [type, , options = ''] = filesystem.split(' ')
  if (type === 'cgroup2') return [{ kind: 'cgroup2', root, mountPoint }]
  const isFreezer = type === 'cgroup' && options.split(',').includes('freezer')
  return isFreezer ? [{ kind: 'freezer', root, mountPoint }] : []
}

/** @returns undefined for what is outside of what is mounted */
function pathBelow(path: string, root = '/'): string | undefined {
  if (path.startsWith('/..')) return undefined
  if (root === '/') return path
  return path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : undefined
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
}
