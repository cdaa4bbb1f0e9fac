#!/usr/bin/env bash
# compare with heavy oracles: golden | export | check [FILE...] (needs ORACLE_PYTHON with torch, timm, onnxruntime)
#
# golden  writes tests/fixtures/onnx/nodes.npz anew
# export  writes ONNX models of the catalogue's architectures into ORACLE_ONNX
# check   imports FILE... (default: all of ORACLE_ONNX) and compares with ONNX Runtime
source "$(dirname "$0")/../lib/common.sh"
python=${ORACLE_PYTHON:-python3}
export ORACLE_ONNX=${ORACLE_ONNX:-$ROOT/build/oracle/onnx}
verb=${1:-}
if (($#)); then shift; fi
case $verb in
  golden) "$python" tools/oracle/onnx_golden.py ;;
  export) "$python" tools/oracle/export_onnx.py "$@" ;;
  check)
    build release anemone
    files=("$@")
    ((${#files[@]})) || files=("$ORACLE_ONNX"/*.onnx)
    "$python" tools/oracle/check_onnx.py "${files[@]}"
    "$python" tools/oracle/check_onnx.py --target iOS15 "${files[@]}"
    ;;
  *) fail "usage: ./dev oracle golden | export | check [FILE...]" ;;
esac
