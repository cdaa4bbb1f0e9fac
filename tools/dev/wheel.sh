#!/usr/bin/env bash
# make wheels that need NumPy only, and the command as one file, in dist/, and try them: [PYTHON...]
#
# Without PYTHON (an interpreter): those of pyenv and on the path, 3.9 and newer, one for each version. From 3.12 on one
# wheel serves all but the free-threaded ones. What runs where, and how: docs/install.md.
source "$(dirname "$0")/../lib/common.sh"
[[ $(uname -s) == Linux ]] || fail "on macOS: pip wheel . (docs/on-a-mac.md)"
bash tools/dev/install.sh build
build release anemone
home=$(package_venv)
portable=$ROOT/build/portable/$(uname -m)
say "static libraries, and the C library's older symbols"
python3 tools/portable/libraries.py "$portable" --python "$home/bin/python"

# version PYTHON: 3.12, or 3.14t of one without a global lock.
version() {
  "$1" -c 'import sys, sysconfig
print("%d.%d%s" % (*sys.version_info[:2], "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""))' 2> /dev/null || true
}
declare -A found=()
if (($# == 0)); then
  # shellcheck disable=SC2046  # one word for each
  set -- $(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.*/bin/python3" || true) \
    $(for minor in 9 10 11 12 13 14 15; do command -v "python3.$minor" "python3.${minor}t" || true; done)
fi
for python in "$@"; do
  name=$(version "$python")
  if [[ $name =~ ^3\.(9|[1-9][0-9])t?$ && -z ${found[$name]:-} ]]; then found[$name]=$python; fi
done
((${#found[@]})) || fail "there is no Python from 3.9 on"

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir -p dist
rm -f dist/*.whl
stable=""
for name in $(printf '%s\n' "${!found[@]}" | sort -V); do
  minor=${name#3.}
  if [[ $minor != *t ]] && ((minor >= 12)); then
    if [[ -n $stable ]]; then continue; fi  # the wheel of the first serves this one
    stable=$name
  fi
  say "wheel of Python $name"
  "${found[$name]}" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$made" . \
    --config-settings build-dir="build/portable/$(uname -m)/python$name" --config-settings "build.targets=_anemone;anemone" \
    --config-settings cmake.define.ANEMONE_PORTABLE="$portable" --config-settings cmake.define.ANEMONE_PREBUILT="$ROOT/build/release" \
    > "$LOG_DIR/wheel-$name.log" 2>&1 || { tail -n 40 "$LOG_DIR/wheel-$name.log" >&2; fail "no wheel of Python $name"; }
done
for wheel in "$made"/*.whl; do
  PATH=$home/bin:$PATH "$home/bin/auditwheel" repair --wheel-dir dist "$wheel" > "$LOG_DIR/auditwheel.log" 2>&1 || { cat "$LOG_DIR/auditwheel.log" >&2; fail "auditwheel"; }
done
if compgen -G 'dist/*abi3*.whl' > /dev/null; then "$home/bin/abi3audit" --strict dist/*abi3*.whl; fi

say "the command as one file"
python3 tools/portable/archive.py dist --command "$(compgen -G "$portable/python*/anemone" | head -n 1)"

# In an empty environment of each Python, with NumPy and nothing else, away from the sources.
failed=0
for name in $(printf '%s\n' "${!found[@]}" | sort -V); do
  "${found[$name]}" -m venv "$made/$name"
  if ! "$made/$name/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --find-links dist \
    --no-index --no-deps anemone ||
    ! "$made/$name/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: numpy; then
    say "Python $name: NOT INSTALLED"
    failed=1
    continue
  fi
  (cd "$made" && PATH=$made/$name/bin:$PATH "$name/bin/python" "$ROOT/tools/portable/try_wheel.py" \
    "$ROOT/tests/fixtures/packages/convolution_spec7.mlpackage") || failed=1
done
ls -l dist | awk 'NR > 1 {printf "%10d  %s\n", $5, $9}'
exit "$failed"
