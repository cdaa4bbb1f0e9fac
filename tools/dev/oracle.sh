#!/usr/bin/env bash
# compare with heavy oracles: golden | export | check [FILE...] | SCRIPT [ARGUMENT...] of tests/oracle or tools/oracle
#
# golden  rewrites tests/fixtures/onnx/nodes.npz
# export  writes ONNX models of the catalog's architectures into ORACLE_ONNX
# check   imports FILE... (default: all of ORACLE_ONNX) and compares with ONNX Runtime
#
# The Python is ORACLE_PYTHON, which has what tools/oracle/requirements.txt lists. Never part of the tests, which
# only need small files in the tree.
source "$(dirname "$0")/../lib/common.sh"
python=${ORACLE_PYTHON:-python3}
export ORACLE_ONNX=${ORACLE_ONNX:-$ROOT/build/oracle/onnx}
verb=${1:-}
if (($#)); then shift; fi

# Builds the programs that such scripts use, then runs the script of that name.
run_script() {
  local folder source name programs=()
  for folder in tests/oracle tools/oracle; do
    [[ -n $1 && -f $folder/$1.py ]] || continue
    for source in tests/oracle/*.cc; do
      name=${source##*/}
      programs+=("anemone_oracle_${name%.cc}")
    done
    build release "${programs[@]}"
    "$python" "$folder/$1.py" "${@:2}"
    return
  done
  fail "usage: ./dev oracle golden | export | check [FILE...] | SCRIPT [ARGUMENT...] of tests/oracle or tools/oracle"
}

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
  *) run_script "$verb" "$@" ;;
esac
