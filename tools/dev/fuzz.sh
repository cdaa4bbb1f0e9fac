#!/usr/bin/env bash
# fuzz every kind of input for longer under ASan and UBSan: [ROUNDS] (default 50 times what ./dev test does)
source "$(dirname "$0")/../lib/common.sh"
rounds=${1:-50}
bash tools/dev/install.sh build test
build asan-ubsan anemone_tests_format anemone_tests_onnx anemone_tests_acquire anemone_tests_media anemone_tests_base \
  anemone_tests_runtime anemone_tests_placement anemone_tests_neural_network anemone_tests_feature_models
export ANEMONE_FUZZ_ROUNDS=$rounds
failed=0
for folder in format onnx acquire media base runtime placement neural_network feature_models; do
  build/asan-ubsan/anemone_tests_$folder --gtest_brief=1 \
    --gtest_filter='*Mutat*:*Damage*:*Hostile*:*Bad*:*Fuzz*:*Truncat*:*Corrupt*' || failed=1
done
exit "$failed"
