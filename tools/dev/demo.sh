#!/usr/bin/env bash
# install, build, then the main job: three networks, three precisions, each checked
source "$(dirname "$0")/../lib/common.sh"
started=$SECONDS
models=tests/fixtures/models
bash tools/dev/install.sh build
build release anemone
[[ -x build/bin/anemone ]] || fail "the build did not make build/bin/anemone (does src/cli/main.cc exist?)"
say "build/bin/anemone demo --models-dir $models"
rc=0
build/bin/anemone demo --models-dir "$models" "$@" || rc=$?

echo
verdict=finished
if ((rc)); then verdict="ended with exit code $rc"; fi
echo "== ./dev demo: $verdict in $((SECONDS - started)) s"
echo "   built:     build/bin/anemone (try build/bin/anemone --help)"
if [[ -d $models ]]; then
  echo "   packages:  $models/*.mlpackage, a NAME.manifest.json beside each"
fi
exit "$rc"
