/** What a test file's process tells the runner about itself, in this order. */
export type Message =
  | { readonly type: 'started'; readonly title: string }
  | { readonly type: 'passed'; readonly title: string }
  | { readonly type: 'failed'; readonly title: string }
  /** Not a test: a hook that threw, a suite that never ran, a test that was left out. */
  | { readonly type: 'problem'; readonly text: string }
  /** Every suite has run; nothing but open handles keeps the process from ending. */
  | { readonly type: 'finished' }

/** @param onSent called when the runner has it, for a process about to exit */
export function send(message: Message, onSent?: () => void): void {
  if (process.send === undefined) throw new Error('Test files run by way of `npm test -- PATTERN`')
  process.send(message, undefined, undefined, onSent)
}
