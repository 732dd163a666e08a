/**
 * How a job in containers is stopped: in its main container, in the order of a job on the host.
 *
 * The shell is suspended, so that it runs no further line of the directive and its terminal stays.
 * Everything else gets TERM; once it is gone, or the grace period is over, what is left is killed,
 * and the shell gets a signal that ends it with nothing but its EXIT trap. Then the container is
 * killed. Services go with the job's other objects.
 *
 * @module
 */

import { Deadline } from '../../async/abort.ts'
import type { DockerClient } from '../../docker/client.ts'
import { killContainer } from '../../docker/containers.ts'
import { runExec } from '../../docker/exec.ts'
import type { StopPolicy } from '../executor.ts'
import { CleanupDeadline } from './cleanup-deadline.ts'
import type { Staging } from './staging.ts'

export interface StopTarget {
  readonly docker: DockerClient
  readonly containerId: string
  readonly staging: Pick<Staging, 'bootPath' | 'startPath'>
}

/** For an engine to start the script that lets the shell run its EXIT trap, for which that has a second. */
const END_LIMIT_MS = 5_000

/**
 * Run in the container by bash alone: an image need not have more. `$1` and `$2` are the paths of
 * the scripts that lead to the shell, `$3` is `ask`, or `end` when there is no time for that.
 *
 * The shell is the oldest process started with the first path; its subshells carry it as well. What
 * it was started by is known by the second, or as its ancestor: with that its terminal would go.
 * Without a parent in here are programs that came from outside: nobody waits for the shell of a
 * person who looks at the job. VTALRM is one of those signals for which bash runs its EXIT trap and
 * ends; HUP, which is another, jobs trap.
 */
const STOP_SCRIPT = `boot=$1 start=$2
exec 3<> <(:)
look() {
  shell= others=() asked=() parents=() keepers=' '
  local process pid stat word last fields born oldest
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/} stat= last=
    IFS= read -r -d '' stat <$process/stat
    fields=(\${stat##*) })
    [[ $pid == $$ || \${fields[1]} == $$ || \${fields[0]:-Z} == [XZ] ]] && continue
    while IFS= read -r -d '' word; do
      last=$word
      [[ $word != *"$start"* ]] || keepers+="$pid "
    done <$process/cmdline
    parents[pid]=\${fields[1]} born=\${fields[19]}
    [[ $last == "$boot" ]] || continue
    if [[ -z $shell ]] || (( born < oldest || (born == oldest && pid < shell) )); then
      shell=$pid oldest=$born
    fi
  done
  pid=\${shell:-0}
  while (( pid > 0 )); do keepers+="$pid " pid=\${parents[pid]:-0}; done
  for pid in "\${!parents[@]}"; do
    [[ $keepers == *" $pid "* ]] && continue
    others+=($pid)
    (( parents[pid] == 0 )) || asked+=($pid)
  done
}
pause() { read -r -t 0.05 -u 3; }
{
  look
  [[ -z $shell ]] || kill -STOP $shell
  if [[ $3 == ask ]]; then
    look
    kill -TERM "\${others[@]}"
    kill -CONT "\${others[@]}"
    while look; (( \${#asked[@]} > 0 )); do pause; done
  fi
  [[ \${#others[@]} == 0 ]] || kill -KILL "\${others[@]}"
  [[ -n $shell ]] || exit
  kill -VTALRM $shell
  kill -CONT $shell
  for (( turns = 0; turns < 20; turns++ )); do
    [[ -e /proc/$shell ]] || exit
    [[ $3 == end ]] || turns=0
    pause
  done
} 2>/dev/null`

/**
 * Resolves when nothing runs in the main container any more.
 *
 * @param ended aborted when there is nothing left to wait for
 * @throws {AgentError} when the engine does not do it
 */
export async function stopContainerJob(
  target: StopTarget,
  { gracePeriodMs, forceStop }: StopPolicy,
  ended: AbortSignal,
): Promise<void> {
  const { docker, containerId } = target
  using grace = new Deadline(gracePeriodMs, forceStop, ended)
  await attempt(grace.signal, (signal) => runScript(target, 'ask', signal))
  if (grace.signal.aborted) {
    using limit = new Deadline(END_LIMIT_MS, forceStop, ended)
    await attempt(limit.signal, (signal) => runScript(target, 'end', signal))
  }
  if (!ended.aborted) await killMainContainer(docker, containerId, forceStop)
}

/** @throws {AgentError} when the engine does not do it in time */
export async function killMainContainer(
  docker: DockerClient,
  id: string,
  forceStop: AbortSignal,
): Promise<void> {
  using deadline = new CleanupDeadline(forceStop)
  await killContainer(docker, id, deadline.signal)
}

async function runScript(
  { docker, containerId, staging }: StopTarget,
  mode: 'ask' | 'end',
  signal: AbortSignal,
): Promise<void> {
  const command = ['bash', '-c', STOP_SCRIPT, 'stop', staging.bootPath, staging.startPath, mode]
  await runExec(docker, containerId, { command, user: '0', signal })
}

/** What fails because the time is up, or the container gone, is no matter: it is killed next. */
async function attempt(
  deadline: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (!deadline.aborted) await work(deadline).catch(() => undefined)
}
