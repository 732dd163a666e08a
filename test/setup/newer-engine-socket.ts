/** Where the newer engine lives, and listens. */

import { join } from 'node:path'

export const NEWER_ENGINE_DIRECTORY = '/var/lib/agent-test-engine'

export const NEWER_ENGINE_SOCKET = join(NEWER_ENGINE_DIRECTORY, 'docker.sock')
