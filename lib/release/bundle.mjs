/**
 * The sources as one script.
 *
 * @module
 */

import { join } from 'node:path'
import { build } from 'esbuild'

/**
 * One CommonJS script: modules behind `await import()` are in it, and run when first asked for.
 *
 * @param {string} root of the project
 * @param {string} outfile
 * @returns paths of the files that are in it
 */
export async function bundle(root, outfile) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'agent.ts')],
    outfile,
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
    plugins: [leanPackages],
  })
  return Object.keys(metafile.inputs).map((path) => join(root, path))
}

/**
 * What packages load and the agent never uses: undici's index runs all of its fetch, mocks, caches
 * and interceptors (half of a job's first call to the engine), Hono's server all of HTTP/2.
 */
const leanPackages = {
  name: 'lean packages',
  setup(build) {
    build.onResolve({ filter: /^\.\/lib\/(cache|interceptor|mock|web)\// }, ({ importer, path }) =>
      importer.endsWith('/undici/index.js') ? { path, namespace: 'unused' } : undefined,
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

/** No request ever comes over it. */
const NO_HTTP2 = 'module.exports = { Http2ServerRequest: class {}, constants: {} }'

/** Whatever is taken out of it is a class, so that it can be extended and exported. */
const UNUSED = `module.exports = new Proxy(class {}, { get: () => class {} })`
