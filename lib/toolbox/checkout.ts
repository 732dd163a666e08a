/**
 * `checkout` in bash: the program that does git's work, and the function around it that leaves the
 * shell inside the repository. The program runs on its own, so that no option, alias, `IFS` or
 * function of the job's shell can change it, and no failure of it can end that shell.
 *
 * @see lib/toolbox/README.md: texts and final states are fixed
 * @module
 */

import { quoteWord } from '../shell/quote.ts'

/** @param program path of the file with {@link CHECKOUT_PROGRAM} */
export function checkoutFunction(program: string): string {
  return `function checkout {
  ( builtin export SEMAPHORE_GIT_URL SEMAPHORE_GIT_DIR SEMAPHORE_GIT_BRANCH SEMAPHORE_GIT_SHA \\
      SEMAPHORE_GIT_REF_TYPE SEMAPHORE_GIT_REF SEMAPHORE_GIT_TAG_NAME SEMAPHORE_GIT_DEPTH
    builtin exec "\${BASH:-bash}" -p ${quoteWord(program)} "$@" ) || builtin return
  CDPATH= builtin cd -- "$SEMAPHORE_GIT_DIR"
}
builtin export -f checkout
`
}

/**
 * A clone that failed asks the server whether the branch is there at all: only that tells a missing
 * branch (no use in another try) from a connection that broke.
 */
export const CHECKOUT_PROGRAM = `
export GIT_TERMINAL_PROMPT=\${GIT_TERMINAL_PROMPT:-0}
url=\${SEMAPHORE_GIT_URL-} dir=\${SEMAPHORE_GIT_DIR-} branch=\${SEMAPHORE_GIT_BRANCH-} sha=\${SEMAPHORE_GIT_SHA-}
ref=\${SEMAPHORE_GIT_REF-} tag=\${SEMAPHORE_GIT_TAG_NAME-} depth=\${SEMAPHORE_GIT_DEPTH:-50}

again() {
  (( $1 < 3 )) || return 1
  echo "[$1/3] Execution Failed with exit status $2. Retrying."
}

# clone WHAT REFNAME ARGUMENTS...: 2 when the server has no such ref
clone() {
  local name=$1 try status
  shift
  for try in 1 2 3; do
    rm -rf -- "$dir"
    git clone --origin origin "$@" -- "$url" "$dir" && return 0
    status=$?
    if [[ -n $name ]]; then
      git ls-remote --exit-code -- "$url" "$name" >/dev/null 2>&1
      (( $? != 2 )) || return 2
    fi
    again "$try" "$status" || return 1
  done
}

fetch() {
  local try
  for try in 1 2 3; do
    git fetch "$@" && return 0
    again "$try" "$?" || return 1
  done
}

has_revision() { git rev-parse --quiet --verify "$sha^{commit}" >/dev/null 2>&1; }

enter() { cd -- "$dir" || exit 1; }

reset_to_revision() {
  if ! has_revision; then
    echo "Revision: $sha not found .... Exiting"
    return 1
  fi
  git reset --hard "$sha"
}

checkout_branch() {
  echo "Performing shallow clone with depth: $depth"
  clone "refs/heads/$branch" --depth "$depth" --branch "$branch"
  case $? in
    0) ;;
    2) checkout_without_branch; return ;;
    *) return 1 ;;
  esac
  enter
  if ! has_revision && [[ $(git rev-parse --is-shallow-repository) == true ]]; then
    echo "SHA: $sha not found performing full clone"
    fetch --unshallow
  fi
  reset_to_revision
}

checkout_without_branch() {
  echo "Branch not found performing full clone"
  if clone ''; then
    enter
    if has_revision; then
      git reset --hard "$sha"
      return
    fi
  fi
  echo "Branch: $branch not found .... Exiting"
  return 1
}

checkout_pull_request() {
  # Else the main branch would be fetched, and pass for the pull request.
  if [[ -z $ref ]]; then
    echo '[CHECKOUT ERROR] SEMAPHORE_GIT_REF is unset: it says which pull request to check out.'
    return 1
  fi
  clone '' --depth "$depth" || return 1
  enter
  if ! fetch origin "+$ref:"; then
    echo "Revision: $sha not found .... Exiting"
    return 1
  fi
  git checkout -qf FETCH_HEAD && echo "HEAD is now at $(git rev-parse HEAD)"
}

checkout_tag() {
  clone "refs/tags/$tag" --depth "$depth" --branch "$tag" && enter && {
    git rev-parse --quiet --verify "refs/tags/$tag" >/dev/null ||
      # A branch of the same name has come in its place.
      fetch --depth "$depth" origin "+refs/tags/$tag:refs/tags/$tag"
  } || {
    echo "Release $tag not found .... Exiting"
    return 1
  }
  git checkout -qf "refs/tags/$tag" -- && echo "HEAD is now at $(git rev-parse HEAD) Release $tag"
}

if [[ -z $url || -z $dir || -z $branch || -z $sha ]]; then
  echo '[CHECKOUT ERROR] Some of these variables are unset:'
  echo "SEMAPHORE_GIT_URL=$url"
  echo "SEMAPHORE_GIT_DIR=$dir"
  echo "SEMAPHORE_GIT_BRANCH=$branch"
  echo "SEMAPHORE_GIT_SHA=$sha"
  exit 1
fi
if ! hash git 2>/dev/null; then
  echo '[CHECKOUT ERROR] There is no git on the PATH, which checkout needs: install it, or use an image that has it.'
  exit 1
fi
# A shell that stands in the directory about to go would take git's feet away.
[[ $dir != /* ]] || cd /
case \${SEMAPHORE_GIT_REF_TYPE-} in
  pull-request) checkout_pull_request ;;
  tag) checkout_tag ;;
  *) checkout_branch ;;
esac || exit 1
`
