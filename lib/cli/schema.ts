/**
 * `agent schema`: the JSON Schema with which editors check job files.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { print } from './print.ts'

export const schemaCommand = defineCommand({
  meta: {
    name: 'schema',
    description: `Print the JSON Schema of a job file, for editors that check and complete one.

Examples:
  agent schema > job.schema.json

Then in the first line of a job file, for editors with the YAML language server:
  # yaml-language-server: $schema=./job.schema.json`,
  },
  run: async () => {
    const { jobFileSchema } = await import('../request/json-schema.ts')
    await print(`${JSON.stringify(jobFileSchema(), null, 2)}\n`)
  },
})
