#!/usr/bin/env bash
# fuzz every kind of input under ASan and UBSan: [ROUNDS [SECONDS]] (default 50 times what ./dev test does, 60 a target)
#
# First the fuzz targets of tests/fuzz, with libFuzzer, for so many seconds each; build/fuzz/corpus keeps what they
# learned, and build/fuzz/found the inputs that failed. Then the tests that damage good files, for so many rounds.
# Either is left out at 0.
source "$(dirname "$0")/../lib/common.sh"
rounds=${1:-50}
seconds=${2:-60}
failed=0

if ((seconds > 0)); then
  bash tools/dev/install.sh build test fuzz
  export CC=${CC:-clang-19} CXX=${CXX:-clang++-19}
  build fuzz anemone_fuzz
  corpus=$ROOT/build/fuzz/corpus
  found=$ROOT/build/fuzz/found
  mkdir -p "$found"
  for target in build/fuzz/anemone_fuzz_*; do
    name=${target##*anemone_fuzz_}
    "$target" --seeds="$corpus/$name"
    # -rss_limit_mb and -timeout: memory and time out of proportion are failures too.
    if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$found/$name-" "$corpus/$name" > "build/fuzz/$name.log" 2>&1; then
      say "$name: $(last_match 'stat::number_of_executed_units' "build/fuzz/$name.log") inputs, none failed"
    else
      say "$name failed: build/fuzz/$name.log; the input is in build/fuzz/found"
      failed=1
    fi
  done
fi

if ((rounds > 0)); then
  bash tools/dev/install.sh build test
  build asan-ubsan anemone_tests_format anemone_tests_onnx anemone_tests_acquire anemone_tests_media anemone_tests_base \
    anemone_tests_runtime anemone_tests_placement anemone_tests_neural_network anemone_tests_feature_models \
    anemone_tests_torch
  export ANEMONE_FUZZ_ROUNDS=$rounds
  for folder in format onnx acquire media base runtime placement neural_network feature_models torch; do
    build/asan-ubsan/anemone_tests_$folder --gtest_brief=1 \
      --gtest_filter='*Mutat*:*Damage*:*Hostile*:*Bad*:*Fuzz*:*Truncat*:*Corrupt*' || failed=1
  done
fi
exit "$failed"
