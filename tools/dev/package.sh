#!/usr/bin/env bash
# make what people install, in dist/: .deb packages, archives, and a wheel for this machine's Python
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build test
build release
mkdir -p dist
rm -f dist/*.deb dist/*.tar.gz dist/*.whl
generators=(TGZ)
if command -v dpkg-deb > /dev/null; then generators+=(DEB); fi
for generator in "${generators[@]}"; do
  say "cpack -G $generator"
  (cd build/release && cpack -G "$generator" -B "$ROOT/dist" > "$LOG_DIR/cpack-$generator.log" 2>&1) ||
    { cat "$LOG_DIR/cpack-$generator.log" >&2; fail "cpack failed"; }
done
rm -rf dist/_CPack_Packages dist/install_manifest*.txt

# The wheel carries the libraries that it links, so that it needs NumPy only. auditwheel names the oldest system that it runs
# on: the one whose C library this machine has.
home=$ROOT/build/package-venv
if ! cmp -s tools/packages/package-requirements.txt "$home/.stamp"; then
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r tools/packages/package-requirements.txt
  cp tools/packages/package-requirements.txt "$home/.stamp"
fi
if [[ $(uname -s) == Linux ]]; then
  say "an archive that needs the C library only"
  PATH=$home/bin:$PATH python3 tools/portable.py dist
fi
say "pip wheel ."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$home/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$made" .
if [[ $(uname -s) == Linux ]]; then
  PATH=$home/bin:$PATH "$home/bin/auditwheel" repair --wheel-dir dist "$made"/*.whl
else
  cp "$made"/*.whl dist/
fi
case $(echo dist/*.whl) in *abi3*) "$home/bin/abi3audit" --strict dist/*.whl ;; esac

say "the wheel in an empty environment, with NumPy and nothing else"
python3 -m venv "$made/venv"
"$made/venv/bin/python" -m pip install --quiet --disable-pip-version-check dist/*.whl
(cd "$made" && venv/bin/python - "$ROOT/tests/fixtures/packages/convolution_spec7.mlpackage") << 'EOF'
import sys

import anemone
import numpy as np

model = anemone.load(sys.argv[1])
outputs = model.predict({"image": np.ones((1, 3, 8, 8), np.float32)})
assert all(np.isfinite(value).all() for value in outputs.values())
print("anemone", anemone.__version__, {name: value.shape for name, value in outputs.items()})
EOF
ls -l dist | awk 'NR > 1 {printf "%10d  %s\n", $5, $9}'
