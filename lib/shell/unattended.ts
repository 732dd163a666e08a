/**
 * Variables that tell programs that nobody is at the job's terminal: without them a pager or an editor
 * would wait for a key for ever.
 *
 * @module
 */

/**
 * - `EDITOR`, not `GIT_EDITOR`: that would win over `core.editor` and `VISUAL` of whoever has
 *   scripted an editor. `true` keeps what it is given: `git commit --amend` and `git rebase -i` go
 *   on, `crontab -e` changes nothing, and a commit without a message is refused.
 * - `GIT_PAGER` as well as `PAGER`: `core.pager` in the configuration of a person is a pager that waits.
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  PAGER: 'cat',
  GIT_PAGER: 'cat',
  MANPAGER: 'cat',
  SYSTEMD_PAGER: 'cat',
  EDITOR: 'true',
  GIT_TERMINAL_PROMPT: '0',
  DEBIAN_FRONTEND: 'noninteractive',
}

/** Lines of bash to run after the login scripts: values set by these or by an image stay. */
export function unattendedDefaults(): string {
  const lines = Object.entries(DEFAULTS).map(
    ([name, value]) => `[[ -v ${name} ]] || builtin export ${name}=${value}`,
  )
  return `{ ${lines.join('; ')}; } 2>/dev/null`
}
