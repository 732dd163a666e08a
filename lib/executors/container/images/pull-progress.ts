/**
 * What a pull has to say, as lines of a log: no cursor tricks, and not too many of them. Pure.
 *
 * @module
 */

import { describeTransfer } from '../../../async/waits.ts'
import type { PullMessage } from '../../../docker/images.ts'

/** Between two lines about one image. */
const INTERVAL_MS = 2_000

/** Sizes in bytes, as the registry sends them. */
interface Layer {
  readonly downloaded: number
  /** 0 while unknown. */
  readonly total: number
  readonly done: boolean
  /** All of it has come. */
  readonly here: boolean
  /** For its turn: an engine fetches three layers at a time, of all that are wanted by anybody. */
  readonly waits: boolean
  /** It broke off; the engine waits before it fetches it again. */
  readonly broken: boolean
}

/** A layer that got so far is here whole; the engine need not have said so while it came. */
const AFTER_DOWNLOAD = new Set([
  'Verifying Checksum',
  'Download complete',
  'Extracting',
  'Pull complete',
])

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
    const news = this.#describe()
    if (news === this.#said) return ''
    this.#said = news
    this.#saidAt = now
    return `${this.#image}: ${news}, ${this.#seconds(now)} s\n`
  }

  /** Nothing comes because the engine has not asked for it yet. */
  get isQueued(): boolean {
    const layers = [...this.#layers.values()]
    return layers.some(({ waits }) => waits) && layers.every(({ here, waits }) => here || waits)
  }

  /** For a line that changes all the time; in bytes of the layers whose sizes are known by now. */
  describeNow(now: number): string {
    const layers = [...this.#layers.values()]
    const total = layers.reduce((sum, layer) => sum + layer.total, 0)
    const bytes = layers.reduce((sum, layer) => sum + layer.downloaded, 0)
    const how =
      total === 0
        ? `${this.#seconds(now)} s`
        : describeTransfer(bytes, total, now - this.#startedAt)
    return `Pulling ${this.#image}: ${how}`
  }

  /** The closing line. */
  end(now: number): string {
    const digest = this.#digest === '' ? '' : ` (${this.#digest})`
    return `${this.#image}: pulled ${this.#describe()}, in ${this.#seconds(now)} s${digest}\n`
  }

  #take({ status = '', id, progressDetail }: PullMessage): void {
    if (status.startsWith('Digest: ')) this.#digest = status.slice('Digest: '.length)
    // The tag comes as an id, too, in the very first message.
    if (id === undefined || status.startsWith('Pulling from')) return
    const before = this.#layers.get(id) ?? { downloaded: 0, total: 0, done: false }
    // What else has details counts something else: bytes unpacked, seconds.
    const { current = 0, total = 0 } = (status === 'Downloading' && progressDetail) || {}
    const done = before.done || status === 'Pull complete' || status === 'Already exists'
    this.#layers.set(id, {
      downloaded: AFTER_DOWNLOAD.has(status) ? before.total : Math.max(before.downloaded, current),
      total: Math.max(before.total, total),
      done,
      here: done || AFTER_DOWNLOAD.has(status),
      waits: status === 'Waiting',
      broken: status.startsWith('Retrying'),
    })
  }

  #describe(): string {
    const layers = [...this.#layers.values()]
    const done = layers.filter((layer) => layer.done).length
    const bytes = layers.reduce((sum, { downloaded }) => sum + downloaded, 0)
    const broken = layers.filter((layer) => layer.broken).length
    const again = broken === 0 ? '' : `, ${broken} failed and will be retried`
    return `${done} of ${layers.length} layers, ${(bytes / 1e6).toFixed(1)} MB${again}`
  }

  #seconds(now: number): string {
    return ((now - this.#startedAt) / 1_000).toFixed(1)
  }
}
