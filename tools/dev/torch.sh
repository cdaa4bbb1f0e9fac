#!/usr/bin/env bash
# coremltools' own PyTorch tests through .pt2 files: [SAMPLE] (the share of the tests, default 0.02; 1 is all)
#
# The Python is ORACLE_PYTHON, which has torch and coremltools (tests/conformance/requirements.txt). One line for each
# test goes to build/conformance/torch.jsonl; tests/conformance/torch_through_pt2.py says what is compared.
source "$(dirname "$0")/../lib/common.sh"
sample=${1:-0.02}
build release anemone
report=$ROOT/build/conformance/torch.jsonl
mkdir -p "${report%/*}"
rm -f "$report"
cd "${report%/*}" || exit 1
PT2_SAMPLE=$sample PT2_REPORT=$report PYTHONPATH=$ROOT/tests/conformance${PYTHONPATH:+:$PYTHONPATH} \
  "${ORACLE_PYTHON:-python3}" -m pytest -p torch_through_pt2 -p no:cacheprovider -q --no-header --tb=no \
  --pyargs coremltools.converters.mil.frontend.torch.test
