/**
 * Writes the tables of README.md that are made from the sources: `npm run readme`.
 *
 * @module
 */

import { readFile, writeFile } from 'node:fs/promises'
import { withSettingsTable } from './settings-table.ts'

await writeFile('README.md', withSettingsTable(await readFile('README.md', 'utf8')))
