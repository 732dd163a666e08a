/**
 * The sources and the packages they use, as two scripts.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

/**
 * Packages that few jobs need, and large ones: all of them together would make every start of the
 * agent a third slower. They go into a script of their own, which is read when one is asked for.
 */
const SELDOM_USED = [
  '@aws-sdk/client-s3',
  '@peculiar/x509',
  '@smithy/signature-v4',
  'prom-client',
  'reflect-metadata',
  'ssh2',
]

/** Name of the asset with them in it, and of its file beside the script. */
export const PACKAGES_ASSET = 'packages.cjs'

const SHARED_OPTIONS = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  minify: true,
  keepNames: true, // error names and stack traces stay readable
  legalComments: 'none', // in a file of the release instead
  // Native helpers that ssh2 tries and does without: in one file there is no place for them.
  external: ['cpu-features', '*.node'],
  metafile: true,
  logLevel: 'warning',
}

/**
 * One CommonJS script: modules behind `await import()` are in it, and run when first asked for. And
 * beside it {@link PACKAGES_ASSET}.
 *
 * @param {string} root of the project
 * @param {string} outfile
 * @returns paths of the files that are in them
 */
export async function bundle(root, outfile) {
  const results = await Promise.all([
    build({
      ...SHARED_OPTIONS,
      absWorkingDir: root,
      entryPoints: [join(root, 'agent.ts')],
      outfile,
      plugins: [leanPackages, seldomUsed, withoutOldBuffers],
    }),
    build({
      ...SHARED_OPTIONS,
      absWorkingDir: root,
      stdin: { contents: listOf(SELDOM_USED), resolveDir: root },
      outfile: join(dirname(outfile), PACKAGES_ASSET),
      // The WebAssembly in ssh2 looks for its directory, and then needs nothing from there.
      banner: {
        js: "(function (require) { const module = { exports: {} }, __filename = '', __dirname = '';",
      },
      footer: { js: 'return module.exports })' },
      plugins: [leanPackages],
    }),
  ])
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs))
  return inputs
    .filter((path) => !/^(seldom-used:|unused:|<stdin>)/.test(path))
    .map((path) => join(root, path))
}

/** All in one script, for pkg's classic mode, which has no assets to read. */
export async function bundleWhole(root, outfile) {
  await build({
    ...SHARED_OPTIONS,
    absWorkingDir: root,
    entryPoints: [join(root, 'agent.ts')],
    outfile,
    plugins: [leanPackages, withoutOldBuffers],
  })
}

function listOf(names) {
  const entries = names.map(JSON.stringify).map((name) => `${name}: () => require(${name})`)
  return `module.exports = { ${entries.join(', ')} }`
}

const seldomUsed = {
  name: 'seldom used',
  setup(build) {
    const names = new RegExp(`^(${SELDOM_USED.join('|')})$`)
    build.onResolve({ filter: names }, ({ path }) => ({ path, namespace: 'seldom-used' }))
    build.onResolve({ filter: /^load-seldom-used$/ }, ({ path }) => ({
      path,
      namespace: 'seldom-used',
    }))
    build.onLoad({ filter: /.*/, namespace: 'seldom-used' }, ({ path }) => ({
      contents:
        path === 'load-seldom-used'
          ? LOAD_SELDOM_USED
          : `module.exports = require('load-seldom-used')(${JSON.stringify(path)})`,
      loader: 'js',
    }))
  },
}

const LOAD_SELDOM_USED = `
const { getAsset } = require('node:sea')
const { Script } = require('node:vm')
const filename = '${PACKAGES_ASSET}'
let packages
module.exports = (name) => {
  packages ??= new Script(getAsset(filename, 'utf8'), { filename }).runInThisContext()(require)
  return packages[name]()
}`

/**
 * On upgrade of undici or @hono/node-server, check that these folders are still theirs; a test looks
 * at what the bundle has of them.
 *
 * What packages load and the agent never uses: undici all of its fetch, mocks, caches and
 * interceptors (half of a job's first call to the engine), Hono's server all of HTTP/2.
 */
const leanPackages = {
  name: 'lean packages',
  setup(build) {
    build.onResolve({ filter: /\/(cache|interceptor|mock|web)\// }, ({ importer, path }) =>
      importer.includes('/node_modules/undici/') && path.startsWith('.')
        ? { path, namespace: 'unused' }
        : undefined,
    )
    build.onResolve({ filter: /^(node:)?http2$/ }, ({ importer, path }) =>
      importer.includes('/@hono/node-server/') ? { path, namespace: 'unused' } : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({
      contents: path.endsWith('http2') ? NO_HTTP2 : UNUSED,
      loader: 'js',
    }))
  },
}

const OLD_BUFFER = 'new Buffer(message)'

/**
 * node-statsd makes its packets in a way of which Node warns on the user's terminal. On upgrade, check
 * whether that is still so: the build fails if not.
 */
const withoutOldBuffers = {
  name: 'without old buffers',
  setup(build) {
    build.onLoad({ filter: /\/node-statsd\/lib\/statsd\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      if (!source.includes(OLD_BUFFER)) throw new Error(`${path} has no ${OLD_BUFFER} any more`)
      return { contents: source.replace(OLD_BUFFER, 'Buffer.from(message)'), loader: 'js' }
    })
  },
}

/** No request ever comes over it. */
const NO_HTTP2 = 'module.exports = { Http2ServerRequest: class {}, constants: {} }'

/** Whatever is taken out of it is a class, so that it can be extended and exported. */
const UNUSED = `module.exports = new Proxy(class {}, { get: () => class {} })`
