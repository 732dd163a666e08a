/** An S3 server for one suite, with one bucket, that lets in one user and checks every signature. */

import { spawn } from 'node:child_process'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { PYTHON } from '../setup/s3-server.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './host.ts'

export interface S3Server {
  readonly port: number
  readonly url: string
  readonly bucket: string
  readonly key: string
  readonly secret: string
  /** With the right credentials, to look at the server past the agent. */
  readonly client: S3Client
  close(): Promise<void>
}

const BUCKET = 'ci-cache'
const KEY = 'AKIATESTTESTTESTTEST'
const SECRET = 'sEcReT/of+the+cache/0123456789abcdefghij'

export async function startS3Server(): Promise<S3Server> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  // Not as arguments: tests look for the secret in the list of processes.
  const env = { ...process.env, PORT: String(port), KEY_ID: KEY, SECRET }
  const server = spawn(PYTHON, ['test/fixtures/s3_server.py'], { env, stdio: 'ignore' })
  const exited = new Promise((resolve) => server.once('exit', resolve))
  const isAnswering = () =>
    fetch(url).then(
      () => true,
      () => false,
    )
  const client = new S3Client({
    endpoint: url,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
  })
  await waitFor(isAnswering, 'the S3 server answers')
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  return {
    port,
    url,
    bucket: BUCKET,
    key: KEY,
    secret: SECRET,
    client,
    async close() {
      client.destroy()
      server.kill('SIGKILL')
      await exited
    },
  }
}
