/**
 * The version of this agent, as `package.json` has it; the bundler copies it into the binary.
 *
 * @module
 */

import manifest from '../package.json' with { type: 'json' }

export const VERSION: string = manifest.version
