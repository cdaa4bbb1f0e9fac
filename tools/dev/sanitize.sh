#!/usr/bin/env bash
# build and run unit tests under a sanitizer: [tsan|asan-ubsan] [FOLDER...]; asan-ubsan takes all folders by default, tsan those with threads
#
# With ANEMONE_SANITIZE_UNTIL, seconds since 1970, folders that do not fit before it are named as
# not run. A failing folder does not stop the others.
source "$(dirname "$0")/../lib/common.sh"
preset=asan-ubsan
if [[ ${1:-} == tsan || ${1:-} == asan-ubsan ]]; then
  preset=$1
  shift
fi
folders=("$@")
if ((${#folders[@]} == 0)); then
  if [[ $preset == tsan ]]; then
    first=(base runtime coreml facade cpu)
  else
    # First those that read untrusted files.
    first=(format onnx acquire media base placement runtime facade)
    for name in tests/unit/*/; do first+=("$(basename "$name")"); done
  fi
  for name in "${first[@]}"; do
    if [[ -d tests/unit/$name && " ${folders[*]-} " != *" $name "* ]]; then folders+=("$name"); fi
  done
fi
for name in "${folders[@]}"; do
  [[ -d tests/unit/$name ]] || fail "there is no folder tests/unit/$name"
done

bash tools/dev/install.sh build test
mkdir -p "$LOG_DIR"
log=$LOG_DIR/ctest-$preset.log
: > "$log"
cmake --preset "$preset" > "$LOG_DIR/configure-$preset.log" 2>&1 || fail "cmake could not configure '$preset'"
# gcc's libtsan needs a fixed layout of the address space.
straight=()
if [[ $preset == tsan ]] && setarch -R true 2> /dev/null; then straight=(setarch -R); fi
until=${ANEMONE_SANITIZE_UNTIL:-0} skipped=() ran=0 failed=0
for name in "${folders[@]}"; do
  left=86400
  if ((until)); then left=$((until - $(date +%s))); fi
  if ((left < 20)); then
    skipped+=("$name")
    continue
  fi
  status=0
  timeout "$left" bash -c "cmake --build --preset $preset -j $(jobs) --target anemone_tests_$name > '$LOG_DIR/build-$preset.log' 2>&1 &&
    ${straight[*]-} ctest --test-dir build/$preset -j $(jobs) --output-on-failure --no-tests=error -L '^$name\$' > '$log.$name' 2>&1" || status=$?
  if [[ -f $log.$name ]]; then
    cat "$log.$name" >> "$log"
    rm -f "$log.$name"
  fi
  if ((status == 124)); then
    skipped+=("$name")
  elif ((status != 0)); then
    failed=1
    grep -E 'error:|FAILED' "$LOG_DIR/build-$preset.log" | tail -n 20 || true
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$log" | tail -n 100 || true
  else
    ran=$((ran + 1))
  fi
done
line="$ran of ${#folders[@]} folders passed"
if ((${#skipped[@]})); then line+=", not run for lack of time: ${skipped[*]}"; fi
say "sanitizers, $preset: $line   (build/logs/ctest-$preset.log)"
exit "$failed"
