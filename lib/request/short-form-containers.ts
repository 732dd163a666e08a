/**
 * The containers of the short form: `image` makes the main one, `services` the others. Pure.
 *
 * @module
 */

import { type Expansion, type Place, within } from './expansion.ts'
import { isRecord } from './shapes.ts'
import { isAbsent, toFiles } from './short-form-items.ts'
import { variablesOf } from './short-form-variables.ts'

type Fields = Readonly<Record<string, unknown>>

/** Of the main container, when `image` makes one. */
const MAIN = 'main'

const CONTAINERS = 'dockercompose'

const LIST: Place = { from: ['compose', 'containers'], to: 'compose.containers' }

/** @returns no field when there is nothing to change */
export function containersOf(document: Fields, notes: Expansion): Fields {
  const compose = document['compose'] ?? {}
  const given = isRecord(compose) ? (compose['containers'] ?? []) : undefined
  if (!isRecord(compose) || !Array.isArray(given)) return {}
  const own = given.map((entry, index) => toContainer(entry, atIndex(LIST, index), notes))
  if (isAbsent(document['image']) && isAbsent(document['services'])) {
    return own.length > 0 ? { compose: { ...compose, containers: own } } : {}
  }
  checkTogether(document, own.length, notes)
  const first = [...mainOf(document['image'], notes), ...own]
  const others = toServices(document['services'], notes).map(({ key, service }, index) => {
    const at = { from: ['services', key], to: `${LIST.to}[${first.length + index}]` }
    return toContainer(asContainer(key, service, at, notes), at, notes)
  })
  return { executor: CONTAINERS, compose: { ...compose, containers: [...first, ...others] } }
}

function checkTogether({ image, executor }: Fields, own: number, notes: Expansion): void {
  if (!isAbsent(image) && own > 0) {
    notes.report(['image'], 'expected either image or compose.containers, got both')
  }
  if (isAbsent(image) && own === 0) {
    notes.report(['services'], 'expected an image beside it: only a job in containers has services')
  }
  if (!isAbsent(executor) && executor !== '' && executor !== CONTAINERS) {
    notes.report(['executor'], `expected none, or "${CONTAINERS}", beside image or services`)
  }
}

function mainOf(image: unknown, notes: Expansion): unknown[] {
  if (isAbsent(image)) return []
  for (const field of ['name', 'image']) notes.trace(`${LIST.to}[0].${field}`, ['image'])
  return [{ name: MAIN, image }]
}

interface Service {
  readonly key: number | string
  readonly service: unknown
}

function toServices(services: unknown, notes: Expansion): Service[] {
  if (!isAbsent(services) && typeof services !== 'object') {
    notes.report(['services'], 'expected names and their images, such as { db: "postgres:17" }')
  }
  const entries = Array.isArray(services)
    ? [...services.entries()]
    : Object.entries(isRecord(services) ? services : {})
  return entries.map(([key, service]) => ({ key, service }))
}

/** A service of the mapping is an image, or what a container of the list has, but for its name. */
function asContainer(key: number | string, service: unknown, at: Place, notes: Expansion): unknown {
  notes.trace(at.to, at.from)
  if (typeof key === 'number') return service
  notes.trace(`${at.to}.name`, at.from)
  if (isRecord(service)) return { ...service, name: key }
  notes.trace(`${at.to}.image`, at.from)
  return { name: key, image: service ?? undefined }
}

function toContainer(container: unknown, place: Place, notes: Expansion): unknown {
  if (!isRecord(container)) return container
  const { env, ...others } = container
  return {
    ...others,
    ...variablesOf({ ...container, env }, place, notes),
    ...('files' in others && { files: toFiles(others['files'], within(place, 'files'), notes) }),
  }
}

function atIndex({ from, to }: Place, index: number): Place {
  return { from: [...from, index], to: `${to}[${index}]` }
}
