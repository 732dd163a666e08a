/**
 * Platforms of images, `linux/arm64` or `linux/arm/v7`, and whether two of them are one. Pure.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-index.md, "platform"
 * @module
 */

/** Other names of the same processor, as `uname -m` and people use them. */
const ALIASES: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  armhf: 'arm',
  i386: '386',
  x86_64: 'amd64',
  'x86-64': 'amd64',
}

/** A variant counts where both sides name one: 64-bit ARM is often, but not always, called v8. */
export function isSamePlatform(wanted: string, found: string): boolean {
  const [wantedParts, foundParts] = [split(wanted), split(found)]
  return wantedParts.every((part, i) => i >= foundParts.length || part === foundParts[i])
}

function split(platform: string): string[] {
  return platform
    .toLowerCase()
    .split('/')
    .map((part) => ALIASES[part] ?? part)
    .filter((part) => part !== '')
}
