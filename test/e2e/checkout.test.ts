/** `checkout` against real servers: what is in the directory afterwards, and what it says. */

import * as assert from 'uvu/assert'
import { engineSuite } from '../helpers/engine-suite.ts'
import {
  createRepository,
  type HttpGitServer,
  type Repository,
  startHttpGitServer,
  startSshGitServer,
} from '../helpers/git-server.ts'
import { type InJobOptions, inJob, type Place } from '../helpers/in-job.ts'

interface Context {
  repository: Repository
  server: HttpGitServer
  /** Commits by name. */
  sha: Readonly<Record<string, string>>
}

const test = engineSuite<Context>('checkout')

/** Twenty commits on main; the others beside them, each with a file of its name. */
const HISTORY = `
commit() { echo "$1" >"$1"; git add -A; git commit -qm "$1"; }
mark() { echo "$1 $(git rev-parse "\${2-HEAD}")" >>../shas; }
mkdir 'a dir'; echo x >'a dir/ünï côdé.txt'
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20; do commit $i; mark m$i; done
git tag light m10 2>/dev/null || git tag light HEAD~10; mark light light
git tag -a -m annotated annotated HEAD~5; mark annotated 'annotated^{commit}'
git tag both HEAD~13; mark both both; git branch both HEAD~1
git checkout -qb feature/ünï HEAD~3; commit feature; mark feature
git checkout -qb subs main; git update-index --add --cacheinfo 160000,$(git rev-parse main),sub
printf '[submodule "sub"]\\n\\tpath = sub\\n\\turl = http://127.0.0.1:1/nope.git\\n' >.gitmodules; git add .gitmodules; git commit -qm subs; mark subs
git checkout -qb pr HEAD~2; commit pr; mark pr
git checkout -qb forced main; commit lost; mark lost
git push -q origin main feature/ünï subs forced light annotated refs/tags/both refs/heads/both pr:refs/pull/7/head
git reset -q --hard main; commit found; mark found; git push -qf origin forced
cat ../shas`

test.before(async (t) => {
  t.repository = await createRepository(HISTORY)
  const lines = (await t.repository.change('cat ../shas')).trim().split('\n')
  t.sha = Object.fromEntries(lines.map((line) => line.split(' ')))
  t.server = await startHttpGitServer(t.repository, 'user:pass word')
})

test.after(async (t) => {
  await t.server.close()
  await t.repository.remove()
})

/** What a checkout has led to. */
const REPORT = `report() {
  echo "status $?"; [[ $1 == none ]] || { echo "in \${PWD#$ROOT/}"; echo "at $(git rev-parse HEAD)"; }
  [[ $1 == none ]] || { echo "on $(git symbolic-ref -q --short HEAD || echo nothing)"; git status --porcelain; }
  cd "$ROOT"
}
ROOT=$(mktemp -d); cd "$ROOT"
export SEMAPHORE_GIT_DIR=repo SEMAPHORE_GIT_DEPTH=5 GIT_CONFIG_GLOBAL=/dev/null
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=clone.defaultRemoteName GIT_CONFIG_VALUE_0=theirs`

/** Aliases count from the line after. */
const IN_AN_ODD_SHELL = `cd "$(mktemp -d)"; bash -c '
shopt -s expand_aliases; alias git=false cd=false rm=false echo=false checkout="checkout "
function git { false; }; function cd { false; }; function rm { false; }; export -f git cd rm
CDPATH=/:/tmp; IFS=oe; set -euo pipefail
checkout >log 2>&1 3>&1
printf "%s\\n" "$PWD"; printf "%s\\n" "$(<../log)"'`

interface Case {
  readonly what: string
  /** Without the prefix SEMAPHORE_GIT_. */
  readonly variables: Readonly<Record<string, string>>
  readonly before?: string
  readonly after?: string
  readonly status?: number
  /** A line that `after` prints. */
  readonly shows?: string
  /** Lines of the output, in this order. */
  readonly says?: readonly RegExp[]
  readonly in?: string
  readonly at?: string
  readonly on?: string
}

const casesOf = (sha: Context['sha']): readonly Case[] => [
  {
    what: 'the head of a branch',
    variables: { BRANCH: 'main', SHA: 'm20' },
    says: [/^Performing shallow clone with depth: 5$/, /^HEAD is now at .* 20$/],
    at: 'm20',
    on: 'main',
    after: 'git rev-list --count HEAD',
    shows: '5',
  },
  {
    what: 'an older commit within the depth',
    variables: { BRANCH: 'main', SHA: 'm18' },
    at: 'm18',
    on: 'main',
  },
  {
    what: 'a commit outside the depth',
    variables: { BRANCH: 'main', SHA: 'm03' },
    says: [/^SHA: \w+ not found performing full clone$/, /^HEAD is now at .* 03$/],
    at: 'm03',
    on: 'main',
  },
  {
    what: 'a commit of another branch',
    variables: { BRANCH: 'main', SHA: 'feature' },
    status: 1,
    says: [new RegExp(`^Revision: ${sha['feature']} not found .... Exiting$`)],
  },
  {
    what: 'a branch with a slash and unicode',
    variables: { BRANCH: 'feature/ünï', SHA: 'feature' },
    at: 'feature',
    on: 'feature/ünï',
    after: "cat 'a dir/ünï côdé.txt'",
    shows: 'x',
  },
  {
    what: 'a branch that is gone, with a commit that is not',
    variables: { BRANCH: 'gone', SHA: 'm05' },
    says: [/^Branch not found performing full clone$/],
    at: 'm05',
    on: 'main',
  },
  {
    what: 'a branch that is gone, with its commit',
    variables: { BRANCH: 'gone', SHA: 'lost' },
    status: 1,
    says: [/^Branch not found performing full clone$/, /^Branch: gone not found .... Exiting$/],
  },
  {
    what: 'a commit lost by a forced push',
    variables: { BRANCH: 'forced', SHA: 'lost' },
    status: 1,
    says: [new RegExp(`^Revision: ${sha['lost']} not found .... Exiting$`)],
  },
  {
    what: 'what a forced push has put there',
    variables: { BRANCH: 'forced', SHA: 'found' },
    at: 'found',
    on: 'forced',
  },
  {
    what: 'an annotated tag',
    variables: { BRANCH: 'annotated', SHA: 'annotated', REF_TYPE: 'tag', TAG_NAME: 'annotated' },
    says: [new RegExp(`^HEAD is now at ${sha['annotated']} Release annotated$`)],
    at: 'annotated',
    on: 'nothing',
  },
  {
    what: 'a light tag',
    variables: { BRANCH: 'light', SHA: 'light', REF_TYPE: 'tag', TAG_NAME: 'light' },
    at: 'light',
    on: 'nothing',
  },
  {
    what: 'a tag beside a branch of the same name',
    variables: { BRANCH: 'both', SHA: 'both', REF_TYPE: 'tag', TAG_NAME: 'both' },
    at: 'both',
    on: 'nothing',
  },
  {
    what: 'a tag that is not there',
    variables: { BRANCH: 'x', SHA: 'm20', REF_TYPE: 'tag', TAG_NAME: 'v9' },
    status: 1,
    says: [/^Release v9 not found .... Exiting$/],
  },
  {
    what: 'a tag that is not there, though a branch of its name is',
    variables: { BRANCH: 'x', SHA: 'm20', REF_TYPE: 'tag', TAG_NAME: 'main' },
    status: 1,
    says: [/^Release main not found .... Exiting$/],
  },
  {
    what: 'a pull request',
    variables: { BRANCH: 'main', SHA: 'pr', REF_TYPE: 'pull-request', REF: 'refs/pull/7/head' },
    says: [new RegExp(`^HEAD is now at ${sha['pr']}$`)],
    at: 'pr',
    on: 'nothing',
  },
  {
    what: 'a pull request that is not there',
    variables: { BRANCH: 'main', SHA: 'pr', REF_TYPE: 'pull-request', REF: 'refs/pull/8/head' },
    status: 1,
    says: [
      /^\[1\/3\] Execution Failed with exit status 128. Retrying.$/,
      new RegExp(`^Revision: ${sha['pr']} not found .... Exiting$`),
    ],
  },
  {
    what: 'a pull request that has got on since: it says where it is',
    variables: { BRANCH: 'main', SHA: 'm20', REF_TYPE: 'pull-request', REF: 'refs/pull/7/head' },
    says: [new RegExp(`^HEAD is now at ${sha['pr']}$`)],
    at: 'pr',
    on: 'nothing',
  },
  {
    what: 'a pull request without a reference',
    variables: { BRANCH: 'main', SHA: 'm20', REF_TYPE: 'pull-request' },
    status: 1,
    says: [/^\[CHECKOUT ERROR\] SEMAPHORE_GIT_REF is unset: /],
  },
  {
    what: 'submodules, which stay untouched',
    variables: { BRANCH: 'subs', SHA: 'subs' },
    at: 'subs',
    on: 'subs',
    after: 'ls -A sub | wc -l',
    shows: '0',
  },
  {
    what: 'a nested directory with a space',
    variables: { BRANCH: 'main', SHA: 'm20', DIR: 'some where/deep' },
    in: 'some where/deep',
    at: 'm20',
    on: 'main',
  },
  {
    what: 'a directory with files in it, in which the shell stands',
    variables: { BRANCH: 'main', SHA: 'm20', DIR: '$ROOT/full' },
    before: 'mkdir -p full/x; touch full/x/y full/20; cd full/x',
    in: 'full',
    at: 'm20',
    on: 'main',
  },
  {
    what: 'a directory that begins with a dash',
    variables: { BRANCH: 'main', SHA: 'm20', DIR: '-n' },
    in: '-n',
    at: 'm20',
    on: 'main',
  },
]

/** Runs all cases in one job, each as a directive of its own, and compares what they report. */
async function checkCases(
  place: Place,
  url: string,
  { sha }: Context,
  options: InJobOptions = {},
): Promise<void> {
  const cases = casesOf(sha)
  const directives = cases.map(({ variables, before = ':', after = ':', status = 0 }) => {
    const { SHA = '', ...rest } = variables
    const given = Object.entries({ SHA: sha[SHA] ?? SHA, URL: url, ...rest })
    const exports = given.map(([name, value]) => `SEMAPHORE_GIT_${name}="${value}"`).join(' ')
    return `${before}; ( export ${exports}; checkout; report ${status === 0 ? '' : 'none'}; ) 2>&1; cd "$ROOT"
( cd "\${SEMAPHORE_GIT_DIR}" 2>/dev/null && { ${after}; } ); rm -rf -- "$ROOT"/*`
  })
  const { outputs, job } = await inJob(place, [REPORT, ...directives], options)

  for (const [index, { what, status = 0, says = [], ...state }] of cases.entries()) {
    const output = outputs[index + 1] ?? ''
    const lines = output.split('\n')
    const about = `${place}: ${what}:\n${output}${job.stderr}`
    assert.ok(lines.includes(`status ${status}`), about)
    let from = 0
    for (const said of says) {
      const at = lines.findIndex((line, at) => at >= from && said.test(line))
      assert.is.not(at, -1, `${said} in ${about}`)
      from = at + 1
    }
    if (status !== 0) continue
    assert.ok(lines.includes(`in ${state.in ?? 'repo'}`), about)
    assert.ok(lines.includes(`at ${sha[state.at ?? '']}`), about)
    assert.ok(lines.includes(`on ${state.on}`), about)
    assert.ok(state.shows === undefined || lines.includes(state.shows), about)
  }
}

const httpUrl = ({ server }: Context, host: string) =>
  `http://user:pass%20word@${host}:${server.port}/repo.git`

/** Of the host, as the job's network sees it. */
const GATEWAY = `while read -r _ to gateway _; do [[ $to != 00000000 ]] || printf -v GATEWAY '%d.%d.%d.%d' 0x\${gateway:6:2} 0x\${gateway:4:2} 0x\${gateway:2:2} 0x\${gateway:0:2}; done </proc/net/route`

test('host: over http with a password', async (t) => {
  await checkCases('host', httpUrl(t, '127.0.0.1'), t)
})

test('host: from a bare repository in a directory', async (t) => {
  const main = { SEMAPHORE_GIT_BRANCH: 'main', SEMAPHORE_GIT_SHA: t.sha['m03'] ?? '' }
  const variables = { SEMAPHORE_GIT_URL: t.repository.path, SEMAPHORE_GIT_DIR: 'repo', ...main }
  const directives = [
    'checkout',
    'git --no-pager log -1 --format=%s; basename "$PWD"',
    IN_AN_ODD_SHELL,
  ]
  const { outputs } = await inJob('host', directives, { variables })

  assert.match(outputs[0] ?? '', /^Performing shallow clone with depth: 50$/m)
  assert.is(outputs[1], '03\nrepo\n')
  assert.match(outputs[2] ?? '', /^\/\S+\/repo\nPerforming (.|\n)*HEAD is now at \w+ 03\n$/)
})

test('container: over ssh, with a key among the job’s files', async (t) => {
  const server = await startSshGitServer()
  const files = [
    { path: '~/.ssh/id_ed25519', content: server.privateKey, mode: '0600' },
    { path: '~/.ssh/known_hosts', content: `gitserver ${server.hostKey}\n`, mode: '0644' },
    {
      path: '~/.ssh/config',
      content: `Host *\nPort ${server.port}\nHostKeyAlias gitserver\n`,
      mode: '0600',
    },
  ]
  const main = `SEMAPHORE_GIT_BRANCH=main SEMAPHORE_GIT_SHA=${t.sha['m03']} SEMAPHORE_GIT_DIR=repo`
  const directives = [
    GATEWAY,
    `export SEMAPHORE_GIT_URL=${server.username}@$GATEWAY:${t.repository.path} ${main} SEMAPHORE_GIT_DEPTH=2`,
    'bash -c "checkout && pwd"',
    'checkout',
    'git --no-pager log -1 --format=%s; basename "$PWD"; [[ -v GIT_SSH_COMMAND ]] || echo unset',
    'cd; GIT_SSH_COMMAND="echo mine >&2; false" checkout || echo "status $?"',
    'rm ~/.ssh/known_hosts; checkout || echo "status $?"',
  ]
  const { outputs } = await inJob('container', directives, { files, image: 'agent-test/checkout' })
  await server.close()

  assert.match(outputs[2] ?? '', /^HEAD is now at \w+ 03\n\/root\/repo\n$/m)
  assert.is(outputs[4], '03\nrepo\nunset\n')
  assert.match(outputs[5] ?? '', /^mine(.|\n)*\[2\/3\] Execution Failed(.|\n)*status 1\n$/m)
  assert.match(outputs[6] ?? '', /Host key verification failed[\s\S]*\nstatus 1\n$/)
})

test('container: over http, as another user, in a script under set -euo pipefail', async (t) => {
  const directives = [
    `${GATEWAY}; export SEMAPHORE_GIT_URL="http://user:pass%20word@$GATEWAY:${t.server.port}/repo.git" HOME=/tmp`,
    `cd; export SEMAPHORE_GIT_BRANCH=main SEMAPHORE_GIT_SHA=${t.sha['m20']} SEMAPHORE_GIT_DIR=repo`,
    `printf '%s\\n' '#!/bin/bash' 'set -euo pipefail' 'IFS=/; checkout 2>&1 | tail -n 1' 'checkout >log 2>&1; pwd' >/tmp/script; chmod +x /tmp/script; /tmp/script`,
  ]
  const { outputs } = await inJob('container', directives, { user: '1234:1234' })

  assert.match(outputs[2] ?? '', /^HEAD is now at \w+ 20\n\/tmp\/repo\n$/)
})

test('host: a server that drops the first two connections is asked a third time', async (t) => {
  const url = httpUrl(t, '127.0.0.1')
  const main = { SEMAPHORE_GIT_BRANCH: 'main', SEMAPHORE_GIT_SHA: t.sha['m20'] ?? '' }
  const variables = { SEMAPHORE_GIT_URL: url, SEMAPHORE_GIT_DIR: 'repo', ...main }
  t.server.drop(4) // after each failed clone the branch is looked for

  const { outputs, job } = await inJob('host', ['checkout; echo "status $?"'], { variables })

  t.server.drop(0)
  assert.is(job.result, 'passed')
  assert.match(outputs[0] ?? '', /^\[1\/3\] Execution Failed with exit status 128\. Retrying\.$/m)
  assert.match(outputs[0] ?? '', /^\[2\/3\] Execution Failed with exit status 128\. Retrying\.$/m)
  assert.match(outputs[0] ?? '', /\nHEAD is now at \w+ 20\nstatus 0\n$/)
})

test('host: a failed checkout fails its directive and nothing else; the shell and where it stands stay', async (t) => {
  const url = httpUrl(t, '127.0.0.1').replace('pass%20word', 'wrong')
  const directives = [
    'cd "$(mktemp -d)"; kept=yes; checkout || echo "status $?"; echo "$kept"',
    `export SEMAPHORE_GIT_URL=${url} SEMAPHORE_GIT_BRANCH=main SEMAPHORE_GIT_DIR=repo SEMAPHORE_GIT_SHA=${t.sha['m20']}; checkout || echo "status $?"; pwd | grep -c tmp`,
    'PATH=/nowhere checkout || echo "status $?"',
    'checkout',
    'echo never',
  ]
  const { outputs, blocks, job } = await inJob('host', directives)

  assert.is(
    outputs[0],
    '[CHECKOUT ERROR] Some of these variables are unset:\nSEMAPHORE_GIT_URL=\nSEMAPHORE_GIT_DIR=\nSEMAPHORE_GIT_BRANCH=\nSEMAPHORE_GIT_SHA=\nstatus 1\nyes\n',
  )
  assert.match(
    outputs[1] ?? '',
    /Authentication failed(.|\n)*\[2\/3\] Execution Failed(.|\n)*\nstatus 1\n1\n$/,
  )
  assert.not.match(outputs[1] ?? '', /wrong/)
  assert.match(
    outputs[2] ?? '',
    /^\[CHECKOUT ERROR\] There is no git on the PATH(.|\n)*status 1\n$/,
  )
  assert.is(blocks[3]?.exitCode, 1)
  assert.is(blocks.length, 4)
  assert.is(job.result, 'failed')
})

test.run()
