import { identifySelf } from '../../lib/host/agent-identity.ts'
import type { JobRecord } from '../../lib/records/job-record.ts'

/** Of a job on this host whose agent is this process, unless the change says otherwise. */
export function jobRecord(change: Partial<JobRecord> = {}): JobRecord {
  return {
    id: 'a',
    executor: 'shell',
    agentPid: process.pid,
    identity: identifySelf(),
    since: '2026-01-31T12:00:00.000Z',
    resources: { cookie: 'c', home: '/home/ci', since: 1, bootId: 'b' },
    leaders: [],
    dockerSocketPath: '/run/docker.sock',
    instanceId: 'i',
    containers: [],
    callbacks: { token: 'hush' },
    ...change,
  }
}
