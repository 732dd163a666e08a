/**
 * Debian packages that the tests need.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { run } from './run.ts'

/** Package → the file by which its presence is told. */
const PACKAGES: Readonly<Record<string, string>> = {
  'apache2-utils': '/usr/bin/htpasswd',
  'binutils-aarch64-linux-gnu': '/usr/bin/aarch64-linux-gnu-strip',
  binutils: '/usr/bin/strip',
  bsdutils: '/usr/bin/script',
  'busybox-static': '/bin/busybox',
  'ca-certificates': '/usr/sbin/update-ca-certificates',
  'docker-registry': '/usr/bin/docker-registry',
  'docker.io': '/usr/sbin/dockerd',
  faketime: '/usr/bin/faketime',
  fish: '/usr/bin/fish',
  groff: '/usr/bin/groff',
  iptables: '/usr/sbin/iptables',
  'libc6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libc.so.6',
  'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
  'man-db': '/usr/bin/man',
  mandoc: '/usr/bin/mandoc',
  mksh: '/usr/bin/mksh',
  mmdebstrap: '/usr/bin/mmdebstrap',
  'openssh-client': '/usr/bin/ssh',
  openssl: '/usr/bin/openssl',
  'openssh-server': '/usr/sbin/sshd',
  posh: '/usr/bin/posh',
  'qemu-user-static': '/usr/bin/qemu-aarch64-static',
  shellcheck: '/usr/bin/shellcheck',
  virtualenv: '/usr/bin/virtualenv',
  yash: '/usr/bin/yash',
  zsh: '/usr/bin/zsh',
}

const INSTALL_LIMIT_MS = 600_000

/** @throws {Error} naming the packages, where they cannot be installed from here */
export async function ensurePackages(): Promise<void> {
  const missing = Object.entries(PACKAGES).filter(([, file]) => !existsSync(file))
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
