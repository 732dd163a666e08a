/**
 * The rooms of the code, from the top to the bottom: enforced by the architecture test, shown in
 * lib/README.md.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { renderTable } from './table.ts'

/**
 * Room → what it owns; a room is a folder of lib/ or a file directly in it. It imports from lower
 * rows only, never from its own or one above. A new one has to be given its place here.
 */
export const ROWS: readonly Readonly<Record<string, string>>[] = [
  { 'agent.ts': 'the list of commands, each loaded when it is called' },
  { cli: 'arguments → settings → start; the only room that prints, exits and listens to signals' },
  {
    doctor: 'what a machine has and lacks, one file per subject; changes nothing',
    report: 'one archive of what is known of a job, for whoever helps',
    service: 'the agent as a systemd service: its unit, installing, removing, watchdog',
  },
  { hub: 'agents that call their control plane: registration, syncs, their jobs, their end' },
  {
    supervisor: 'jobs from arrival to collection, also across a crash',
    http: 'HTTP → calls on the job slot; the only room that knows Hono and status codes',
  },
  {
    job: 'the life of one job: `plan.ts` says what comes next (pure), `job.ts` does it',
    metrics: 'figures of jobs for Prometheus, of image pulls for StatsD',
  },
  { access: 'ways into a running job: keys, the jump point, who is inside' },
  {
    executors: 'where commands run, behind one contract: this host, or containers',
    records: 'what outlives the process: job records, kept logs, the state directory',
  },
  {
    aws: 'signed calls of AWS: a login for its registry',
    'log-push': "a job's log on its way to the control plane, position by position",
    'log-upload': "a job's log as an artifact of the job, in plain text",
    settings: 'the tables of all settings, and where their values come from',
    toolbox: 'the commands inside a job: their text, their requests, who answers them',
  },
  {
    cache: 'the cache behind `cache`: keys, archives, stores',
    checks: 'what a check of this machine is; room on a disk',
    'config.ts': 'variables and values of this host; the only file that reads the environment',
    docker: 'the Engine API; `client.ts` alone knows undici',
    host: 'what a job touches on this host: processes, files, the login profile',
    'log-file.ts': "the agent's own log in a file that is rotated",
    'outbound.ts': 'HTTP requests to others, through proxies',
    terminal: 'terminals on this host: the embedded addon, or the `script` program',
    tls: "the server's certificate: the given one, or one of its own making",
  },
  {
    events: 'what a log line is; terminal bytes as text; a log in a file',
    private: 'files and directories that no other user of this host can write',
    request: 'a document → a job request, or every problem with its path; pure',
    shell: 'one living bash on a terminal: directives in, output and exit codes out',
    tar: 'archives as bytes: those of the cache, and files for the engine',
  },
  {
    async: 'waiting: for aborts, until deadlines, for several at once, in order',
    files:
      'replacing files, directories that others may be making, files without an end, names as bytes',
    'log.ts': "the agent's own log",
    masking: 'what is secret in a job, and texts without it; pure',
    'slices.ts': 'long work in slices, between which everything else has its turn',
    'time.ts': 'Unix seconds',
    'trust.ts': 'certificate authorities of this host',
    'user.ts': 'the user this process belongs to',
  },
  { 'errors.ts': 'every error the agent raises on purpose', 'version.ts': 'its version' },
]

export function renderRooms(): string {
  const rows = ROWS.flatMap((row, index) =>
    Object.entries(row).map(([room, duty]) => [String(index + 1), pathOf(room), duty]),
  )
  return renderTable(['row', 'room', 'what it owns'], rows)
}

/** A room with a page of its own is a link to it. */
function pathOf(room: string): string {
  const path = room === 'agent.ts' ? room : `lib/${room}`
  return existsSync(`${path}/README.md`) ? `[\`${path}\`](${room}/README.md)` : `\`${path}\``
}
