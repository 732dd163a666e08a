/** The contract of executors, in containers. */

import { ContainerExecutor } from '../../lib/executors/container/executor.ts'
import { planProcessResources } from '../../lib/host/host-resources.ts'
import { parseJobRequest } from '../../lib/request/parse-job-request.ts'
import { containerJob } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { promiseContract } from '../helpers/executor-contract.ts'
import { createJobId } from '../helpers/job-id.ts'
import { HOST_SOCKET } from '../setup/engine.ts'

const test = engineSuite('executors: the contract, in containers')

promiseContract(test, () => {
  const { id, compose } = parseJobRequest({ ...containerJob({}, []), job_id: createJobId() })
  if (compose === undefined) throw new RangeError('no containers')
  return new ContainerExecutor({
    ...{ jobId: id, compose, instanceId: 'contract', onContainer: () => undefined },
    policy: { gracePeriodMs: 1_000, forceStop: new AbortController().signal },
    environment: {},
    cache: { directories: [], limitBytes: 0, environment: {}, project: '' },
    addSecret: () => undefined,
    mask: (text) => text,
    resources: planProcessResources('/'),
    socketPath: HOST_SOCKET,
    hostFiles: [],
    failOnMissingFiles: false,
    exposeKvmDevice: false,
    pullStallTimeoutMs: 60_000,
    serviceStartTimeoutMs: 60_000,
  })
})

test.run()
