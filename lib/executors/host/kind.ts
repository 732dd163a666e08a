/**
 * Jobs whose commands run on this host.
 *
 * @module
 */

import { planHostResources } from '../../host/host-resources.ts'
import { shellJumpPoint } from '../../host/jump-point.ts'
import { type ExecutorKind, sharedOptions } from '../kind.ts'

export const hostKind: ExecutorKind = {
  name: 'shell',
  title: 'Jobs on this host (executor: shell)',
  planResources: planHostResources,
  create: async (request, options) => {
    const { HostExecutor } = await import('./executor.ts')
    const { config, onLeader } = options
    const tellsLogins = config.fleet === undefined
    return new HostExecutor({ ...sharedOptions(request, options), onLeader, tellsLogins })
  },
  attach: async (_target, options) => {
    const { attachToHost } = await import('./attach.ts')
    return await attachToHost(options)
  },
  jumpPoint: shellJumpPoint,
  mayHaveOrphans: () => false,
  reclaim: async () => 0,
  checks: async (options) => {
    const { hostChecks } = await import('./checks.ts')
    return hostChecks(options)
  },
}
