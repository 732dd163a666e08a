#!/bin/sh
# Installs the agent, or replaces an older one, in one step that is done or not done:
#
#   curl -fsSL URL/install.sh | sh
#
# Variables:
#   AGENT_DOWNLOAD_URL  where the files of a release are (default: where this file was released)
#   AGENT_INSTALL_DIR   where the agent goes (default: /usr/local/bin for root, else ~/.local/bin)
#   SEMAPHORE_AGENT_ENDPOINT, SEMAPHORE_AGENT_TOKEN (or SEMAPHORE_AGENT_TOKEN_FILE)
#                       a control plane and a registration token: makes the agent a service that calls it

set -eu

# Filled in by `npm run release`.
default_url=''

main() {
  # Whatever the caller's: a directory on the way to the agent must be closed to others, and open to read.
  umask 022
  url=${AGENT_DOWNLOAD_URL:-$default_url}
  url=${url%/}
  [ -n "$url" ] || fail "This installer does not know where the release is" \
    "Set AGENT_DOWNLOAD_URL to the address that has SHA256SUMS and the other files of the release."
  case $url in
    https://*) ;;
    *) say "Warning: $url is not https: whoever is on the way can exchange what you install" ;;
  esac

  check_service
  name=agent-linux-$(find_architecture)
  directory=$(find_directory)
  if ! mkdir -p "$directory" 2>/dev/null || ! [ -w "$directory" ]; then
    fail "$directory cannot be written to" \
      "Run the installer as root, or name another directory: AGENT_INSTALL_DIR=\$HOME/bin"
  fi
  directory=$(CDPATH='' cd "$directory" && pwd) # for PATH, which is looked at from anywhere
  target=$directory/agent
  [ ! -d "$target" ] ||
    fail "$target is a directory" "Remove it, or name another place: AGENT_INSTALL_DIR=\$HOME/bin"
  find_tools

  # Beside the target: from there it can be renamed, which an agent that runs does not notice.
  work=$(mktemp -d "$directory/.agent-install-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  download SHA256SUMS
  expected=$(sum_of "$name")
  if [ -x "$target" ] && [ "$(digest "$target")" = "$expected" ]; then
    say "$target is up to date: $("$target" version)"
    [ -n "$wants_service" ] || return 0
  else
    fetch_binary
    chmod 0755 "$work/$name"
    version=$(check_start)
    mv -f "$work/$name" "$target"
    say "Installed agent $version as $target"
  fi
  # The token goes by the variable: what options say shows in ps.
  if [ -n "$wants_service" ]; then
    "$target" install --endpoint "$SEMAPHORE_AGENT_ENDPOINT"
  else
    say_what_is_next
  fi
}

# Whether it is to be a service of this machine, and can be.
check_service() {
  token=${SEMAPHORE_AGENT_TOKEN:-${SEMAPHORE_AGENT_TOKEN_FILE:-}}
  wants_service=${SEMAPHORE_AGENT_ENDPOINT:-$token}
  [ -n "$wants_service" ] || return 0
  [ -n "${SEMAPHORE_AGENT_ENDPOINT:-}" ] || fail "There is a token, and no control plane it is for" \
    "Set SEMAPHORE_AGENT_ENDPOINT to its host, or unset SEMAPHORE_AGENT_TOKEN. Nothing was changed."
  [ -n "$token" ] || fail "There is no token for $SEMAPHORE_AGENT_ENDPOINT" \
    "Set SEMAPHORE_AGENT_TOKEN, or SEMAPHORE_AGENT_TOKEN_FILE. Nothing was changed."
  [ "$(id -u)" = 0 ] || fail "Only root can make the agent a service" \
    "Run the installer as root, or unset SEMAPHORE_AGENT_ENDPOINT and SEMAPHORE_AGENT_TOKEN. Nothing was changed."
}

say() {
  printf '%s\n' "$*" >&2
}

# What failed, and what to do about it.
fail() {
  say "install.sh: $1."
  say "$2"
  exit 1
}

find_architecture() {
  system=$(uname -s) machine=$(uname -m)
  [ "$system" = Linux ] || fail "The agent runs on Linux, and this is $system" "Use a Linux machine."
  case $machine in
    x86_64 | amd64) echo x64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) fail "There is no agent for $machine" "Use an x86_64 or aarch64 machine." ;;
  esac
}

find_directory() {
  if [ -n "${AGENT_INSTALL_DIR:-}" ]; then
    echo "$AGENT_INSTALL_DIR"
  elif [ "$(id -u)" = 0 ]; then
    echo /usr/local/bin
  else
    [ -n "${HOME:-}" ] ||
      fail "HOME is not set" "Set it, or name the directory for the agent: AGENT_INSTALL_DIR=/opt/bin"
    echo "$HOME/.local/bin"
  fi
}

has() {
  command -v "$1" >/dev/null 2>&1
}

find_tools() {
  if has curl; then
    downloader=curl
  elif has wget && wget --version >/dev/null 2>&1; then
    downloader='wget -nv --tries=3'
  elif has wget; then
    downloader='wget -q'
    say "Warning: the wget of busybox does not check whom it downloads from"
  else
    fail "There is neither curl nor wget" "Install one of them, e.g.: apt-get install curl ca-certificates"
  fi
  if has sha256sum; then
    hasher=sha256sum
  elif has shasum; then
    hasher='shasum -a 256'
  else
    fail "There is neither sha256sum nor shasum" "Install coreutils or busybox: the download has to be checked."
  fi
  for tool in mktemp chmod mv cut; do
    has "$tool" || fail "There is no $tool" "Install coreutils or busybox."
  done
}

# A file of the release, into $work. A download that ends early is a failure of the tool. What begins
# as https stays that, wherever a server sends one.
download() {
  if [ "$downloader" = curl ]; then
    case $url in
      https://*) curl --proto '=https' -fsSL --retry 3 -o "$work/$1" "$url/$1" || download_failed "$1" ;;
      *) curl -fsSL --retry 3 -o "$work/$1" "$url/$1" || download_failed "$1" ;;
    esac
    return
  fi
  from=$url/$1
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    follow "$1" "$from" && return
    from=$(sed -n 's/^ *[Ll]ocation: *\(https:[^ ]*\).*/\1/p' "$work/said" | tail -n 1)
    case $downloader:$url:$from in
      'wget -nv'*:https:*:https:*) ;;
      *)
        cat "$work/said" >&2
        download_failed "$1"
        ;;
    esac
  done
  download_failed "$1"
}

# One step: GNU's wget would follow a server from https to http, so it is not let follow.
follow() {
  case $downloader:$url in
    'wget -nv'*:https:*) $downloader -S --max-redirect=0 -O "$work/$1" "$2" 2>"$work/said" ;;
    *) $downloader -O "$work/$1" "$2" 2>"$work/said" ;;
  esac
}

download_failed() {
  # On a full disk not even this can be written, nor what the tool has to say.
  printf '%65536s' '' >"$work/room" 2>/dev/null || no_room "$1"
  advice='Check the address, the network (https_proxy) and that ca-certificates are installed.'
  [ "$downloader" != 'wget -q' ] ||
    advice="Check the address and the network; many servers refuse busybox's TLS: then install curl."
  fail "$url/$1 cannot be downloaded with ${downloader%% *}" "$advice Nothing was changed."
}

no_room() {
  fail "$1 does not fit in $directory" "Make room there: it takes 160 MB for a moment. Nothing was changed."
}

# The checksum that the release gives for a file.
sum_of() {
  while read -r sum file; do
    if [ "$file" = "$1" ]; then
      echo "$sum"
      return
    fi
  done <"$work/SHA256SUMS"
  fail "The release at $url has no $1" "Check AGENT_DOWNLOAD_URL. Nothing was changed."
}

digest() {
  $hasher "$1" | cut -d ' ' -f 1
}

check_sum() {
  [ "$(digest "$work/$1")" = "$2" ] || fail "The checksum of $1 is not that of the release" \
    "The download was spoilt, or exchanged on the way: try again, and if it stays so, report it. Nothing was changed."
}

# Compressed where that can be undone: two fifths of the bytes.
fetch_binary() {
  if has gzip; then
    sum=$(sum_of "$name.gz")
    say "Downloading $url/$name.gz"
    download "$name.gz"
    check_sum "$name.gz" "$sum"
    gzip -dc "$work/$name.gz" >"$work/$name" || no_room "$name"
  else
    say "Downloading $url/$name"
    download "$name"
  fi
  check_sum "$name" "$expected"
}

# Before it takes the place of one that works.
check_start() {
  if output=$("$work/$name" version 2>&1); then
    echo "$output"
    return
  fi
  case $output in
    *libstdc++*) hint='Install libstdc++: apt-get install libstdc++6, or dnf install libstdc++.' ;;
    *GLIBC*) hint='It needs glibc 2.28 or newer: Debian 10, Ubuntu 20.04, RHEL 8 or later.' ;;
    *'not found'* | *'No such file'*)
      hint='It needs glibc, which this system (Alpine?) does not have. Use the agent-linuxstatic file of the release, if it has one.'
      ;;
    *) hint="Check that programs may be run from $directory (it may be mounted noexec)." ;;
  esac
  fail "The agent does not start here: $output" "$hint Nothing was changed."
}

say_what_is_next() {
  case :$PATH: in
    *:"$directory":*) command=agent ;;
    *)
      command=$target
      say "$directory is not on your PATH; to have it there: export PATH=\"$directory:\$PATH\""
      ;;
  esac
  say ''
  say "Next:"
  [ ! -e /etc/systemd/system/agent.service ] ||
    say "  systemctl restart agent  let the service use it; waits for a job that runs"
  say "  $command doctor          what this machine has and lacks"
  say "  $command run job.yaml    run a job"
  say "  $command --help          everything else"
}

main
