/**
 * Debian packages that the tests need.
 *
 * @module
 */

import { accessSync, constants, existsSync } from 'node:fs'
import { run } from './run.ts'

/** Package → the program by which its presence is told. */
const PACKAGES: Readonly<Record<string, string>> = {
  'apache2-utils': '/usr/bin/htpasswd',
  bsdutils: '/usr/bin/script',
  'busybox-static': '/bin/busybox',
  'ca-certificates': '/usr/sbin/update-ca-certificates',
  'docker-registry': '/usr/bin/docker-registry',
  'docker.io': '/usr/sbin/dockerd',
  faketime: '/usr/bin/faketime',
  fish: '/usr/bin/fish',
  groff: '/usr/bin/groff',
  iptables: '/usr/sbin/iptables',
  'man-db': '/usr/bin/man',
  mandoc: '/usr/bin/mandoc',
  mmdebstrap: '/usr/bin/mmdebstrap',
  'openssh-client': '/usr/bin/ssh',
  openssl: '/usr/bin/openssl',
  'openssh-server': '/usr/sbin/sshd',
  virtualenv: '/usr/bin/virtualenv',
  zsh: '/usr/bin/zsh',
}

const INSTALL_LIMIT_MS = 600_000

/** @throws {Error} naming the packages, where they cannot be installed from here */
export async function ensurePackages(): Promise<void> {
  const missing = Object.entries(PACKAGES).filter(([, program]) => !isExecutable(program))
  if (missing.length === 0) return
  const names = missing.map(([name]) => name)
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `The end-to-end tests need these Debian packages: ${names.join(' ')}. Run npm test as root on Debian to have them installed, or install them yourself.`,
    )
  }
  console.log(`Installing ${names.join(' ')}`)
  const environment = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update'], { limitMs: INSTALL_LIMIT_MS, environment })
  await run('apt-get', ['install', '-y', '--no-install-recommends', ...names], {
    limitMs: INSTALL_LIMIT_MS,
    environment,
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // absent: that is the question
  }
}
