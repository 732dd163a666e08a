/** The engine's socket in the main container, for jobs that build and run images. */

import * as assert from 'uvu/assert'
import { runJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { createImage, type TestImage } from '../helpers/images.ts'

const test = engineSuite<{ images: TestImage[] }>('engine socket')

test.before((t) => {
  t.images = []
})

test.after(async (t) => {
  for (const image of t.images) await image.remove()
})

/** What docker's own client would do first. */
const ASK_VERSION = String.raw`perl -MIO::Socket::UNIX -e '
  my $s = IO::Socket::UNIX->new("/var/run/docker.sock") or die "no: $!\n";
  print $s "GET /version HTTP/1.0\r\n\r\n";
  print scalar <$s>'`

const NOT_ROOT = ['1234', '1000:1000', 'nobody']

for (const user of ['', 'root', ...NOT_ROOT]) {
  test(`is of use to a job of the user "${user}"`, async () => {
    const { events, result } = await runJob(containerJob({ user }, ['id -u', ASK_VERSION]))

    const blocks = blocksOf(events)
    assert.is(result, 'passed', JSON.stringify(blocks.at(FIRST + 1)))
    assert.is(blocks[FIRST]?.output === '0\n', !NOT_ROOT.includes(user))
    assert.match(blocks[FIRST + 1]?.output ?? '', '200 OK')
  })
}

test("is of use to the image's own user", async (t) => {
  const image = await createImage(IMAGE, ['USER 4321'])
  t.images.push(image)
  const { events, result } = await runJob(containerJob({ image: image.name }, [ASK_VERSION]))

  assert.is(result, 'passed')
  assert.match(blocksOf(events)[FIRST]?.output ?? '', '200 OK')
})

test.run()
