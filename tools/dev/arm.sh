#!/usr/bin/env bash
# cross-compile for Linux on aarch64 and test there under QEMU: kernels, the demo, a wheel; [--no-demo]
#
# Needs Debian and root (debootstrap unpacks an arm64 system into build/arm64/root; nothing of it is installed here). What
# this shows is that results are right; QEMU's speed says nothing, so speed on aarch64 is NOT MEASURED.
source "$(dirname "$0")/../lib/common.sh"
demo=1
if [[ ${1:-} == --no-demo ]]; then demo=0; fi
bash tools/dev/install.sh build arm
suite=bookworm
root=$ROOT/build/arm64/root
work=$ROOT/build/arm64/build
portable=$ROOT/build/arm64/portable
emulator=(qemu-aarch64-static -L "$root")
mkdir -p "$LOG_DIR" build/arm64

# What the library links, and a Python with NumPy.
libraries=$(packages build | grep -E '^lib|^nlohmann|^prometheus' | grep -v libbenchmark | grep -v libjs- | paste -sd,)
if ! cmp -s <(echo "$suite $libraries") build/arm64/stamp; then
  ((EUID == 0)) || fail "debootstrap needs root: sudo ./dev arm"
  say "an arm64 system in build/arm64/root"
  rm -rf "$root"
  mirror=$(apt_mirrors "$suite" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
  [[ -n $mirror ]] || fail "apt on this machine knows no mirror for $suite"
  debootstrap --foreign --arch=arm64 --variant=minbase --include="$libraries,libbrotli-dev,libpython3.11-dev,python3.11,python3-numpy" \
    "$suite" "$root" "$mirror" > "$LOG_DIR/arm-debootstrap.log" 2>&1 ||
    { tail -n 20 "$LOG_DIR/arm-debootstrap.log" >&2; fail "debootstrap failed"; }
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg -x "$package" "$root"; done
  # Links that begin at that system's root would lead out of it.
  find "$root" -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$root$target")" "$link"
  done
  echo "$suite $libraries" > build/arm64/stamp
fi

say "the library, the command and the tests of the kernels for aarch64"
cmake -S . -B "$work" -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/toolchains/aarch64-linux.cmake -DANEMONE_SYSROOT="$root" \
  -DCMAKE_BUILD_TYPE=Release -DANEMONE_BENCH=OFF -DANEMONE_COREML_DOUBLE=OFF \
  -DANEMONE_DAGRE_JS=/usr/lib/python3/dist-packages/xstatic/pkg/dagre/data/dagre.min.js \
  -DANEMONE_CHART_JS=/usr/share/javascript/chart.js/chart.min.js > "$LOG_DIR/arm-configure.log" 2>&1 ||
  { tail -n 40 "$LOG_DIR/arm-configure.log" >&2; fail "cmake could not configure (build/logs/arm-configure.log)"; }
cmake --build "$work" -j "$(jobs)" --target anemone anemone_tests_cpu || fail "the build failed: see above"

summary=()
failed=0
# tried LABEL COMMAND...: runs it, and remembers how it ended and how long it took.
tried() {
  local label=$1 log=$LOG_DIR/arm-$1.log from=$SECONDS verdict=passed
  shift
  say "$label, under QEMU"
  "$@" > "$log" 2>&1 || { verdict=FAILED; failed=1; tail -n 40 "$log"; }
  summary+=("$label: $verdict in $((SECONDS - from)) s   ($(last_match '.' "$log"))")
}
tried kernels "${emulator[@]}" "$work/anemone_tests_cpu"
if ((demo)); then
  tried demo "${emulator[@]}" "$work/anemone" demo --models-dir build/arm64/models --samples 1
fi

say "a wheel and the command as one file"
home=$(package_venv)
python3 tools/portable/libraries.py "$portable" --machine aarch64 --sysroot "$root" --python "$home/bin/python"
# One interpreter's headers serve both machines: sizes and alignment are the same.
python=$(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.12.*/bin/python3" || command -v python3.12 || true)
if [[ -z $python ]]; then
  summary+=("wheel: NOT MADE, there is no Python 3.12 here")
else
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  _PYTHON_HOST_PLATFORM=linux-aarch64 "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
    --wheel-dir "$made" . --config-settings build-dir=build/arm64/python --config-settings "build.targets=_anemone;anemone" \
    --config-settings cmake.define.CMAKE_TOOLCHAIN_FILE="$ROOT/cmake/toolchains/aarch64-linux.cmake" \
    --config-settings cmake.define.ANEMONE_SYSROOT="$root" --config-settings cmake.define.ANEMONE_PORTABLE="$portable" \
    --config-settings cmake.define.ANEMONE_PREBUILT="$work" > "$LOG_DIR/arm-wheel.log" 2>&1 ||
    { tail -n 40 "$LOG_DIR/arm-wheel.log" >&2; fail "no wheel"; }
  mkdir -p dist
  PATH=$home/bin:$PATH "$home/bin/auditwheel" repair --wheel-dir dist "$made"/*.whl
  "$home/bin/abi3audit" --strict dist/*abi3*aarch64.whl
  python3 tools/portable/archive.py dist --command build/arm64/python/anemone
  summary+=("made: $(cd dist && echo ./*abi3*aarch64.whl ./*aarch64-portable.tar.gz)")
fi

echo
echo "== ./dev arm: $( ((failed)) && echo FAILED || echo passed) in $SECONDS s"
printf '   %s\n' "${summary[@]}"
exit "$failed"
