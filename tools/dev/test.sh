#!/usr/bin/env bash
# build and run all tests, or those of one folder: [FOLDER] of tests/unit, or python
#
# CI=true adds the unit tests under the address and undefined-behaviour sanitizers, unless
# ANEMONE_TEST_SANITIZE=0; ANEMONE_TEST_SANITIZE=1 adds them anywhere. With ANEMONE_SANITIZE_UNTIL,
# seconds since 1970, folders that do not fit before it are named as not run.
source "$(dirname "$0")/../lib/common.sh"
folder=${1:-}
case ${CI:-false} in
  '' | 0 | false) sanitize=${ANEMONE_TEST_SANITIZE:-0} ;;
  *) sanitize=${ANEMONE_TEST_SANITIZE:-1} ;;
esac
started=$SECONDS
summary=()
failed=0
mkdir -p "$LOG_DIR"

# unit PRESET: builds and runs the unit tests of `folder`, or all.
unit() {
  local preset=$1 log=$LOG_DIR/ctest-$1.log select=() targets=()
  if [[ -n $folder ]]; then
    [[ -d tests/unit/$folder ]] || fail "there is no folder tests/unit/$folder"
    select=(-L "^$folder\$")
    targets=("anemone_tests_$folder")
  fi
  build "$preset" ${targets[@]+"${targets[@]}"}
  say "ctest, $preset"

  ctest --test-dir "build/$preset" -j "$(jobs)" --output-on-failure --no-tests=error \
    ${select[@]+"${select[@]}"} > "$log" 2>&1 || {
    failed=1
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$log" | tail -n 200
  }
  local line
  line=$(last_match '% tests passed|No tests were found' "$log")
  echo "$line"
  summary+=("unit tests, $preset: $line   (${log#"$ROOT"/})")
}

# The unit tests under the sanitizers, folder by folder: those that read what strangers wrote first.
sanitized() {
  local until=${ANEMONE_SANITIZE_UNTIL:-0} first=(format onnx acquire media base placement runtime facade)
  local folders=() skipped=() name left log=$LOG_DIR/ctest-asan-ubsan.log ran=0 bad=0
  for name in "${first[@]}" $(ls tests/unit); do
    if [[ -d tests/unit/$name && " ${folders[*]-} " != *" $name "* ]]; then folders+=("$name"); fi
  done
  : > "$log"
  cmake --preset asan-ubsan > "$LOG_DIR/configure-asan-ubsan.log" 2>&1 || fail "cmake could not configure 'asan-ubsan'"
  for name in "${folders[@]}"; do
    left=86400
    if ((until)); then left=$((until - $(date +%s))); fi
    if ((left < 20)); then
      skipped+=("$name")
      continue
    fi
    local status=0
    timeout "$left" bash -c "cmake --build --preset asan-ubsan -j $(jobs) --target anemone_tests_$name > '$LOG_DIR/build-asan-ubsan.log' 2>&1 &&
      ctest --test-dir build/asan-ubsan -j $(jobs) --output-on-failure --no-tests=error -L '^$name\$' >> '$log' 2>&1" || status=$?
    if ((status == 124)); then
      skipped+=("$name")
    elif ((status != 0)); then
      bad=1
      grep -E 'error:|FAILED' "$LOG_DIR/build-asan-ubsan.log" | tail -n 20 || true
      grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$log" | tail -n 100
    else
      ran=$((ran + 1))
    fi
  done
  if ((bad)); then failed=1; fi
  local line="$ran of ${#folders[@]} folders passed"
  if ((${#skipped[@]})); then line+=", not run for want of time: ${skipped[*]}"; fi
  say "sanitizers: $line"
  summary+=("unit tests, asan-ubsan: $line   (build/logs/ctest-asan-ubsan.log)")
}

# The Python tests run against the package as a user installs it.
python_tests() {
  local log=$LOG_DIR/pytest.log
  venv tests/requirements.txt
  if [[ -f pyproject.toml ]]; then
    say "pip install . into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check . > "$LOG_DIR/pip.log" 2>&1 || {
      tail -n 60 "$LOG_DIR/pip.log"
      failed=1
      summary+=("Python package: pip install . FAILED   (build/logs/pip.log)")
      return
    }
  fi
  say "pytest"
  .venv/bin/python -m pytest -q -p no:cacheprovider python/tests 2>&1 | tee "$log" || failed=1
  summary+=("Python tests: $(last_match '(passed|failed|error|no tests ran)' "$log")   (build/logs/pytest.log)")
}

bash tools/dev/install.sh build test
if [[ $folder != python ]]; then
  unit release
  if [[ -z $folder ]]; then build release; fi
fi
if [[ -d python/tests && ( -z $folder || $folder == python ) ]]; then python_tests; fi
if [[ $folder != python && $sanitize == 1 ]]; then
  if [[ -n $folder ]]; then unit asan-ubsan; else sanitized; fi
fi

((${#summary[@]})) || fail "there is nothing to run for '$folder'"
echo
echo "== ./dev test: $( ((failed)) && echo FAILED || echo passed) in $((SECONDS - started)) s"
printf '   %s\n' "${summary[@]}"
if [[ -x build/bin/anemone ]]; then echo "   the command: build/bin/anemone --help"; fi
exit "$failed"
