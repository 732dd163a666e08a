/**
 * What a pull has to say, as lines of a log: no cursor tricks, and not too many of them. Pure.
 *
 * @module
 */

import type { PullMessage } from '../../docker/images.ts'

/** Between two lines about one image. */
const INTERVAL_MS = 2_000

interface Layer {
  readonly downloaded: number
  readonly done: boolean
}

export class PullProgress {
  readonly #image: string
  readonly #startedAt: number
  readonly #layers = new Map<string, Layer>()
  #saidAt: number
  #said = ''
  #digest = ''

  /** @param now milliseconds, of any clock that only goes forward */
  constructor(image: string, now: number) {
    this.#image = image
    this.#startedAt = now
    this.#saidAt = now
  }

  get first(): string {
    return `Pulling ${this.#image}\n`
  }

  /** @returns a line when it is time for one and there is news; else nothing */
  push(message: PullMessage, now: number): string {
    this.#take(message)
    if (now - this.#saidAt < INTERVAL_MS) return ''
    const line = `${this.#image}: ${this.#describe()}\n`
    if (line === this.#said) return ''
    this.#said = line
    this.#saidAt = now
    return line
  }

  /** The closing line. */
  end(now: number): string {
    const seconds = ((now - this.#startedAt) / 1_000).toFixed(1)
    const digest = this.#digest === '' ? '' : ` (${this.#digest})`
    return `${this.#image}: pulled ${this.#describe()}, in ${seconds} s${digest}\n`
  }

  #take({ status = '', id, progressDetail }: PullMessage): void {
    if (status.startsWith('Digest: ')) this.#digest = status.slice('Digest: '.length)
    // The tag comes as an id, too, in the very first message.
    if (id === undefined || status.startsWith('Pulling from')) return
    const before = this.#layers.get(id) ?? { downloaded: 0, done: false }
    const current = status === 'Downloading' ? (progressDetail?.current ?? 0) : 0
    this.#layers.set(id, {
      downloaded: Math.max(before.downloaded, current),
      done: before.done || status === 'Pull complete' || status === 'Already exists',
    })
  }

  #describe(): string {
    const layers = [...this.#layers.values()]
    const done = layers.filter((layer) => layer.done).length
    const bytes = layers.reduce((sum, { downloaded }) => sum + downloaded, 0)
    return `${done} of ${layers.length} layers, ${(bytes / 1e6).toFixed(1)} MB`
  }
}
