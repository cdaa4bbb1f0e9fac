# Shared by the scripts under tools/: sourced, never run. Needs bash and coreutils only, so that it
# works before anything is installed. Sets ROOT and makes it the working directory.
# shellcheck shell=bash
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
LOG_DIR=$ROOT/build/logs

say() { printf '%s\n' "-- $*"; }
fail() {
  printf '%s\n' "error: $*" >&2
  exit 1
}

on_macos() { [[ $(uname -s) == Darwin ]]; }

# How many jobs to run at once: ANEMONE_JOBS, or the number of cores.
jobs() {
  if [[ -n ${ANEMONE_JOBS:-} ]]; then
    echo "$ANEMONE_JOBS"
  else
    nproc 2>/dev/null || getconf _NPROCESSORS_ONLN
  fi
}

# packages GROUP...: the names in this system's list under those groups.
packages() {
  local list=tools/packages/debian.txt group name rest wanted
  if on_macos; then list=tools/packages/brew.txt; fi
  while read -r group name rest; do
    for wanted in "$@"; do
      if [[ $group == "$wanted" ]]; then echo "$name"; fi
    done
  done < "$list"
}

# build PRESET [TARGET...]: configures when needed, then builds.
build() {
  local preset=$1
  shift
  mkdir -p "$LOG_DIR"
  if ! cmake --preset "$preset" > "$LOG_DIR/configure-$preset.log" 2>&1; then
    tail -n 40 "$LOG_DIR/configure-$preset.log" >&2
    fail "cmake could not configure '$preset' (build/logs/configure-$preset.log)"
  fi
  local targets=()
  if (($#)); then targets=(--target "$@"); fi
  # How far it is: steps done and all, percent, seconds so far.
  export NINJA_STATUS=${NINJA_STATUS-"[%f of %t, %p, %e s] "}
  cmake --build --preset "$preset" -j "$(jobs)" ${targets[@]+"${targets[@]}"} ||
    fail "the build of '$preset' failed: see above"
}

# venv REQUIREMENTS: makes .venv hold what that file pins; does nothing when it already does.
venv() {
  local stamp=.venv/.stamp wanted
  wanted=$(cksum < "$1")
  if [[ -f $stamp && $(< "$stamp") == "$wanted" ]]; then return; fi
  say "Python packages of $1 into .venv"
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$1"
  printf '%s\n' "$wanted" > "$stamp"
}

# package_venv: prints the folder of the environment that holds the packages of tools/packages/package-requirements.txt.
package_venv() {
  local home=$ROOT/build/package-venv
  if ! cmp -s tools/packages/package-requirements.txt "$home/.stamp"; then
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r tools/packages/package-requirements.txt >&2
    cp tools/packages/package-requirements.txt "$home/.stamp"
  fi
  echo "$home"
}

# apt_mirrors SUITE: the mirrors that this machine's apt uses for a Debian release and its updates, as "URI SUITE".
apt_mirrors() {
  apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite="$1" '$2 == suite || index($2, suite "-") == 1' | sort -u
}

# last_match PATTERN FILE: the last line of FILE that holds PATTERN, or "no result".
last_match() {
  grep -E "$1" "$2" 2>/dev/null | tail -n 1 | grep . || echo "no result"
}
