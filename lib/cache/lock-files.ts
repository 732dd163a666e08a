/**
 * What `cache store` and `cache restore` do without arguments: the files that pin a project's
 * dependencies, and where those are installed (see lib/cache/README.md). Pure.
 *
 * @module
 */

export interface LockFile {
  readonly file: string
  readonly caches: ReadonlyArray<{ readonly prefix: string; readonly path: string }>
}

/** Paths may begin with `$HOME`. */
export const LOCK_FILES: readonly LockFile[] = [
  { file: '.nvmrc', caches: [{ prefix: 'nvm', path: '$HOME/.nvm' }] },
  { file: 'Gemfile.lock', caches: [{ prefix: 'gems', path: 'vendor/bundle' }] },
  { file: 'package-lock.json', caches: [{ prefix: 'node-modules', path: 'node_modules' }] },
  {
    file: 'yarn.lock',
    caches: [
      { prefix: 'yarn-cache', path: '$HOME/.cache/yarn' },
      { prefix: 'node-modules', path: 'node_modules' },
    ],
  },
  {
    file: 'mix.lock',
    caches: [
      { prefix: 'mix-deps', path: 'deps' },
      { prefix: 'mix-build', path: '_build' },
    ],
  },
  { file: 'requirements.txt', caches: [{ prefix: 'requirements', path: '.pip_cache' }] },
  { file: 'composer.lock', caches: [{ prefix: 'composer', path: 'vendor' }] },
  {
    file: 'pom.xml',
    caches: [
      { prefix: 'maven', path: '.m2' },
      { prefix: 'maven-target', path: 'target' },
    ],
  },
  { file: 'Podfile.lock', caches: [{ prefix: 'pods', path: 'Pods' }] },
  { file: 'go.sum', caches: [{ prefix: 'go', path: '$HOME/go/pkg/mod' }] },
]

/** The branch in automatic keys. */
export function branchOf(variables: Readonly<Record<string, string>>): string {
  return variables['SEMAPHORE_GIT_PR_BRANCH'] || variables['SEMAPHORE_GIT_BRANCH'] || 'master'
}

export function storeKey(prefix: string, branch: string, md5: string): string {
  return `${prefix}-${branch}-${md5}`
}

/** From the best to the last resort. */
export function restoreKeys(prefix: string, branch: string, md5: string): readonly string[] {
  const keys = [
    storeKey(prefix, branch, md5),
    `${prefix}-${branch}`,
    `${prefix}-master`,
    `${prefix}-main`,
  ]
  return [...new Set(keys)]
}
