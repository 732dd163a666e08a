/**
 * The pages of documentation: README.md, and those beside the sources they describe.
 *
 * @module
 */

import { globSync, readFileSync } from 'node:fs'

export interface Page {
  readonly path: string
  readonly text: string
}

export function readPages(): Page[] {
  const paths = ['README.md', ...globSync('{lib,test,examples}/**/*.md').sort()]
  return paths.map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

/** The texts of its code blocks in one language. */
export function codeBlocks({ text }: Page, language: string): string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))
  return [...blocks].map(([, content = '']) => content)
}

/** As GitHub makes them from its headings. */
export function anchors(page: Page): string[] {
  return [...withoutCode(page).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** Where its links and pictures lead to, other sites apart. */
export function links(page: Page): string[] {
  return [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}

function withoutCode({ text }: Page): string {
  return text
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()#]/g, ' '))
}
