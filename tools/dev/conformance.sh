#!/usr/bin/env bash
# coremltools' own tests through our executor: [SAMPLE] [TEST-FOLDER...] (default 2 parameter sets of each operator test)
#
# SAMPLE below 1 is a share of the tests; from 1 on, that many parameter sets of each test function. TEST-FOLDER is a path
# below the coremltools package: `0 test/optimize/coreml` are all tests of compression. Needs the network once, for the
# packages of tests/conformance/requirements.txt.
source "$(dirname "$0")/../lib/common.sh"
sample=${1:-2}
if (($#)); then shift; fi
folders=("$@")
((${#folders[@]})) || folders=(converters/mil/mil/ops/tests)
bash tools/dev/install.sh build test
home=$ROOT/build/conformance
mkdir -p "$home"
if ! cmp -s tests/conformance/requirements.txt "$home/.stamp"; then
  say "coremltools, torch and what their tests need into build/conformance/venv"
  python3 -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/conformance/requirements.txt
  cp tests/conformance/requirements.txt "$home/.stamp"
fi
say "pip install . into it"
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check .
report=$home/report.jsonl
rm -f "$report"
packages=$("$home/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
cd "$packages" || exit
status=0
# The tests of compression expect half-precision casts: in float32, 122 of them fail before any prediction.
float32=1
if [[ "${folders[*]}" == *test/optimize* ]]; then float32=0; fi
PYTHONPATH=$ROOT/tests/conformance COREML_EXECUTOR=anemone_executor:make COREML_REPORT=$report COREML_SAMPLE=$sample \
  PYMIL_TEST_TARGETS=mlprogram INCLUDE_MIL_FP32_UNIT_TESTS=$float32 RUN_BACKWARD_COMPATIBILITY=1 \
  "$home/venv/bin/python" -m pytest -p coreml_on_linux -p no:cacheprovider -q --no-header \
  "${folders[@]/#/coremltools/}" 2>&1 | tee "$home/pytest.log" || status=1
say "one line for each test is in build/conformance/report.jsonl"
exit "$status"
