/**
 * Writes the tables that are generated from the sources into all pages: `npm run readme`.
 *
 * @module
 */

import { writeFileSync } from 'node:fs'
import { readPages } from './pages.ts'
import { withTables } from './tables.ts'

for (const { path, text } of readPages()) {
  const updated = withTables(text)
  if (updated !== text) writeFileSync(path, updated)
}
