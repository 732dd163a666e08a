/**
 * `agent jump-point DIRECTORY [-- COMMAND…]`: what the script in `/tmp` calls for a job in containers.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { attachToJob } from './attach-session.ts'

export const jumpPointCommand = defineCommand({
  meta: {
    name: 'jump-point',
    description: 'Open a shell in the job of an SSH jump point',
    hidden: true,
  },
  args: {
    directory: { type: 'positional', description: 'Directory of the job', required: true },
    command: {
      type: 'positional',
      description: 'Command to run instead of a login shell',
      required: false,
    },
  },
  run: async ({ args, data }) => {
    process.exit(await attachToJob(args.directory, data as readonly string[]))
  },
})
