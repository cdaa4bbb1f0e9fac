#!/usr/bin/env bash
# coremltools' own tests through anemone.coremltools: [SAMPLE] [TEST-FOLDER...] (default 2 parameter sets of each test)
#
# SAMPLE below 1 is a share of the tests; from 1 on, that many parameter sets of each test function and back end; 0 is
# all. TEST-FOLDER is a path below the coremltools package: `0 test/optimize/coreml` are all tests of compression.
# Both back ends, neuralnetwork and mlprogram. Needs the network once, for the packages of
# tests/conformance/requirements.txt. ANEMONE_CONFORMANCE_PYTHON names a Python that has them and anemone already.
# When the default folders have run, docs/conformance.md is printed anew from the report.
source "$(dirname "$0")/../lib/common.sh"
sample=${1:-2}
if (($#)); then shift; fi
folders=("$@")
if ((${#folders[@]} == 0)); then
  folders=(converters/mil/mil/ops/tests converters/mil/mil/tests converters/mil/mil/passes/tests test/ml_program
    test/neural_network test/pipeline test/sklearn_tests test/xgboost_tests test/api test/blob test/modelpackage)
  write_document=1
fi
home=$ROOT/build/conformance
mkdir -p "$home"
python=${ANEMONE_CONFORMANCE_PYTHON:-}
if [[ -z $python ]]; then
  bash tools/dev/install.sh build test
  python=$home/venv/bin/python
  if ! cmp -s tests/conformance/requirements.txt "$home/.stamp"; then
    say "coremltools, torch and what their tests need into build/conformance/venv"
    python3 -m venv "$home/venv"
    "$python" -m pip install --quiet --disable-pip-version-check -r tests/conformance/requirements.txt
    cp tests/conformance/requirements.txt "$home/.stamp"
  fi
  say "pip install . into it"
  "$python" -m pip install --quiet --disable-pip-version-check .
fi
# Tests of topk expect the order of ties that insertion sort gives (a few elements); NumPy's sort for wide registers
# gives another one.
export NPY_DISABLE_CPU_FEATURES="AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
report=$home/report.jsonl
rm -f "$report"
packages=$("$python" -c 'import coremltools, os; print(os.path.dirname(os.path.dirname(coremltools.__file__)))')
status=0
for folder in "${folders[@]}"; do
  say "$folder"
  # The tests of compression expect half-precision casts: in float32, 122 of them fail before any prediction.
  float32=1
  if [[ $folder == *test/optimize* ]]; then float32=0; fi
  (cd "$packages" && PYTHONPATH=$ROOT/tests/conformance${PYTHONPATH:+:$PYTHONPATH} COREML_REPORT=$report \
    COREML_SAMPLE=$sample PYMIL_TEST_TARGETS=${PYMIL_TEST_TARGETS:-mlprogram,neuralnetwork} \
    INCLUDE_MIL_FP32_UNIT_TESTS=$float32 RUN_BACKWARD_COMPATIBILITY=1 \
    "$python" -m pytest -p coreml_on_linux -p no:cacheprovider -q --no-header --tb=no --rootdir . \
    "coremltools/$folder") > "$home/pytest.log" 2>&1 || status=1
  tail -n 1 "$home/pytest.log"
done
say "one line for each test is in build/conformance/report.jsonl"
arguments=("$report")
if [[ -n ${write_document:-} ]]; then arguments+=(--output docs/conformance.md); fi
"$python" tests/conformance/summary.py "${arguments[@]}"
exit "$status"
