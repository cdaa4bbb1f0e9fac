#!/usr/bin/env bash
# build and run all tests, or those of one folder: [FOLDER] of tests/unit, or python
#
# CI=true adds the unit tests under the address and undefined-behavior sanitizers, unless
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

# The unit tests under the address and undefined-behavior sanitizers, as ./dev sanitize runs them.
sanitized() {
  local log=$LOG_DIR/sanitize.log
  bash tools/dev/sanitize.sh asan-ubsan 2>&1 | tee "$log" || failed=1
  summary+=("unit tests, $(last_match '^-- sanitizers' "$log" | sed 's/^-- //')")
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
