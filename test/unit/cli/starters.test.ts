/** Every first job file is a job. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startFor } from '../../../lib/cli/starters.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'
import { expandShortForm } from '../../../lib/request/short-form.ts'
import { parseYaml } from '../../../lib/request/yaml.ts'

const test = suite('cli: starters')

function jobFor(...names: string[]) {
  const { text } = startFor(new Set(names))
  const { document, notes } = expandShortForm(parseYaml(text, 'job.yaml'), { environment: {} })
  assert.equal(notes.problems, [])
  const request = parseJobRequest(document, { defaultId: 'a' })
  assert.equal(request.unknownKeys, [])
  const lines = request.commands.map(({ directive }) => directive)
  return [request.compose?.containers[0]?.image, ...lines]
}

test('each fits what is in the directory', () => {
  assert.equal(jobFor('package.json'), ['node:24', 'npm install', 'npm test'])
  assert.equal(jobFor('package.json', 'package-lock.json'), ['node:24', 'npm ci', 'npm test'])
  assert.is(jobFor('Gemfile', 'Makefile')[0], 'ruby:3.4')
  assert.is(jobFor('go.mod')[0], 'golang:1.25')
  assert.is(jobFor('pom.xml')[0], 'maven:3-eclipse-temurin-21')
  assert.is(jobFor('requirements.txt')[0], 'python:3.13')
  assert.is(jobFor('notes.txt')[0], 'debian:stable')
})

test('what could be added is there as a comment, and is right', () => {
  const { text } = startFor(new Set(['go.mod']))
  const whole = text.replace(/^# (?=\w+: [[{])/gm, '')
  assert.ok(whole !== text)

  const { document, notes } = expandShortForm(parseYaml(whole, 'job.yaml'), {
    environment: { API_TOKEN: 'x' },
  })

  assert.equal(notes.problems, [])
  const request = parseJobRequest(document, { defaultId: 'a' })
  assert.is(request.compose?.containers[1]?.name, 'db')
  assert.is(request.epilogueAlways.length, 1)
})

test.run()
