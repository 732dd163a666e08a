/**
 * `agent explain FILE`: what `agent run` would do, without doing it.
 *
 * @module
 */

import { defineCommand } from 'citty'
import { hostEnvironment } from '../config.ts'
import type { ImageInfo } from '../docker/images.ts'
import { DockerUnreachableError } from '../errors.ts'
import { lookUpImages } from '../executors/container/images/look-up.ts'
import { explainJob } from '../job/explanation.ts'
import { findSecrets } from '../job/job-secrets.ts'
import { loadRunConfig } from '../settings/run-config.ts'
import { RUN_SETTINGS } from '../settings/run-settings.ts'
import { renderExplanation } from './explanation-text.ts'
import { loadLocalJob } from './local-job.ts'
import { print } from './print.ts'
import { settingArgs } from './setting-args.ts'

const { hold: _hold, 'print-request': _print, 'keep-going': _keep, ...SETTINGS } = RUN_SETTINGS

export const explainCommand = defineCommand({
  meta: {
    name: 'explain',
    description: `Show what running a job would do, and change nothing.

Its images and whether they are there, containers, mounts, variables and where each comes from, files,
the order of the commands, what will be masked and what is ignored. Values are not shown.

Examples:
  agent explain job.yaml
  agent explain --format json job.yaml`,
  },
  args: {
    file: {
      type: 'positional',
      description: 'Job file, YAML or JSON; - reads standard input',
      required: true,
    },
    ...settingArgs(SETTINGS),
    format: {
      type: 'string',
      valueHint: 'text|json',
      description: 'Text for people, or one JSON object (default: text)',
    },
  },
  run: async ({ args }) => {
    const environment = hostEnvironment()
    const {
      choice,
      format,
      job: config,
    } = loadRunConfig(args, {
      env: environment,
      stdout: process.stdout,
      isRoot: process.getuid?.() === 0,
    })
    const source = { file: args.file, command: [], stdin: process.stdin }
    const { request, hostFiles } = await loadLocalJob(source, choice, {
      defaultId: 'run',
      environment,
    })
    const names = request.compose?.containers.map(({ image }) => image) ?? []
    const images = await lookUp(config.dockerSocketPath, names)
    const explanation = explainJob(request, { config, mounts: hostFiles, images })
    const text =
      format === 'json'
        ? `${JSON.stringify(explanation, null, 2)}\n`
        : renderExplanation(explanation)
    await print(findSecrets(request, config).masking.mask(text))
  },
})

/** @returns undefined when there is no engine to ask; the rest can still be shown */
async function lookUp(
  socketPath: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, ImageInfo | undefined> | undefined> {
  try {
    return await lookUpImages(socketPath, names)
  } catch (error) {
    if (error instanceof DockerUnreachableError) return undefined
    throw error
  }
}
