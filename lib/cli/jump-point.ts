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
    description: 'Get into a job by the way its SSH jump point leads',
    hidden: true,
  },
  args: {
    directory: { type: 'positional', description: 'Of the job', required: true },
    command: { type: 'positional', description: 'Instead of a login shell', required: false },
  },
  run: async ({ args, data }) => {
    process.exit(await attachToJob(args.directory, data as readonly string[]))
  },
})
