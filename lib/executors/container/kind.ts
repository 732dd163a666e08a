/**
 * Jobs whose commands run in containers.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { planProcessResources } from '../../host/host-resources.ts'
import { containerJumpPoint } from '../../host/jump-point.ts'
import { type ExecutorKind, sharedOptions } from '../kind.ts'

export const containerKind: ExecutorKind = {
  name: 'dockercompose',
  title: 'Jobs in containers (executor: dockercompose)',
  planResources: ({ home }) => planProcessResources(home),
  create: async (request, options) => {
    const { compose } = request
    if (compose === undefined) throw new RangeError('a job in containers names none')
    const { config, instanceId, onContainer, onPulled } = options
    const { ContainerExecutor } = await import('./executor.ts')
    return new ContainerExecutor({
      ...sharedOptions(request, options),
      ...{ jobId: request.id, instanceId, compose, onContainer, onPulled },
      socketPath: config.dockerSocketPath,
      hostFiles: config.hostFiles,
      failOnMissingFiles: config.failOnMissingFiles,
      exposeKvmDevice: config.exposeKvmDevice,
      pullStallTimeoutMs: config.pullStallTimeout,
      serviceStartTimeoutMs: config.serviceStartTimeout,
      mask: options.mask,
    })
  },
  attach: async (target, options) => {
    const { attachToContainer } = await import('./attach.ts')
    return await attachToContainer(target, options)
  },
  jumpPoint: (target) => containerJumpPoint(target, process.execPath),
  mayHaveOrphans: ({ socketPath }) => existsSync(socketPath),
  reclaim: async (options) => {
    const { removeOrphans } = await import('./reclaim.ts')
    return await removeOrphans(options)
  },
  checks: async ({ dockerHost }) => {
    const { containerChecks } = await import('./checks.ts')
    return containerChecks(dockerHost)
  },
}
