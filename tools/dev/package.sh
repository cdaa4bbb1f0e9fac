#!/usr/bin/env bash
# make what people install, in dist/: .deb packages, an archive, and what ./dev wheel makes
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build test
build release
mkdir -p dist
rm -f dist/*.deb dist/*.tar.gz
generators=(TGZ)
if command -v dpkg-deb > /dev/null; then generators+=(DEB); fi
for generator in "${generators[@]}"; do
  say "cpack -G $generator"
  (cd build/release && cpack -G "$generator" -B "$ROOT/dist" > "$LOG_DIR/cpack-$generator.log" 2>&1) ||
    { cat "$LOG_DIR/cpack-$generator.log" >&2; fail "cpack failed"; }
done
rm -rf dist/_CPack_Packages dist/install_manifest*.txt
if [[ $(uname -s) == Linux ]]; then exec bash tools/dev/wheel.sh "$@"; fi
say "pip wheel ."
python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
ls -l dist | awk 'NR > 1 {printf "%10d  %s\n", $5, $9}'
