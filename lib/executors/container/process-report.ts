/**
 * What the processes in a job's main container are doing, for a job that is ended by a time limit.
 * Asked of a bash inside: an image need not have `ps`, and neither need the engine's host.
 *
 * @module
 */

import type { DockerClient } from '../../docker/client.ts'
import { runExec } from '../../docker/exec.ts'
import { formatProcessTree, parseProcess } from '../../host/process-tree.ts'

/** Three texts a process, each ended by a NUL byte: a process may have any name. */
const LOOK_SCRIPT = `for process in /proc/[0-9]*; do
  [[ $process != /proc/$$ ]] && IFS= read -rd '' stat <$process/stat
  [[ -n $stat ]] || continue
  channel= call=
  IFS= read -rd '' channel <$process/wchan
  IFS= read -rd '' call <$process/syscall
  printf '%s\\0' "$stat" "$channel" "$call"
  stat=
done 2>/dev/null`

/** What the main container's first process has started is the job's. */
const FIRST_PROCESS = 1

/** @param user whose processes they are: even root may be kept from what those of others wait for */
export async function describeContainerProcesses(
  docker: DockerClient,
  containerId: string,
  { uid, gid }: { readonly uid: number; readonly gid: number },
  signal: AbortSignal,
): Promise<string> {
  const command = ['bash', '-p', '-c', LOOK_SCRIPT]
  const user = `${uid}:${gid}`
  const { output } = await runExec(docker, containerId, { command, user, signal })
  const texts = output.split('\0')
  const processes = Array.from({ length: Math.floor(texts.length / 3) }, (_, i) => {
    const [stat = '', waitChannel = '', systemCall = ''] = texts.slice(3 * i)
    return parseProcess(stat, waitChannel, systemCall)
  })
  return formatProcessTree(
    processes.filter((process) => process !== undefined),
    ({ parent }) => parent === FIRST_PROCESS,
  )
}
