#!/usr/bin/env bash
# install what is missing and build: [PRESET] (release debug asan-ubsan tsan) [TARGET...]
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build
preset=${1:-release}
if (($#)); then shift; fi
build "$preset" "$@"
if [[ $preset == release && $# == 0 && -x build/bin/anemone ]]; then
  say "the command is build/bin/anemone"
else
  say "built in build/$preset"
fi
