/** Jobs in containers, as job requests. */

/** What most of them run in: bash, git and the usual programs. */
export const IMAGE = 'agent-test/debian'

/** Of the first command, among the blocks of a job without credentials. */
export const FIRST = 4

interface Rest {
  readonly services?: readonly object[]
  /** What `compose` has besides containers. */
  readonly compose?: object
  readonly [key: string]: unknown
}

/**
 * @param main what is to be said of the main container
 * @param rest further keys of the request
 */
export function containerJob(
  main: object,
  directives: readonly string[],
  { services = [], compose = {}, ...rest }: Rest = {},
) {
  return {
    executor: 'dockercompose',
    compose: { containers: [{ name: 'main', image: IMAGE, ...main }, ...services], ...compose },
    commands: directives.map((directive) => ({ directive })),
    ...rest,
  }
}
