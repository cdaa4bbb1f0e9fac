#!/usr/bin/env bash
# benchmarks: [NAME...] of bench/ without its ending (default: every C++ one, and peers.py where ORACLE_PYTHON has the peers)
#
# Only the ratio within one run counts, never a time by itself, because machines are shared.
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build test
build release
python=${ORACLE_PYTHON:-python3}
models=${ORACLE_ONNX:-$ROOT/build/oracle/onnx}
names=("$@")
if ((!${#names[@]})); then
  for source in bench/*.cc; do
    name=${source##*/}
    names+=("${name%.cc}")
  done
  if "$python" -c 'import onnxruntime, anemone' 2>/dev/null && [[ -d $models ]]; then
    names+=(peers)
  else
    say "peers: NOT MEASURED (ORACLE_PYTHON needs onnxruntime and anemone, ORACLE_ONNX the models)"
  fi
fi
for name in "${names[@]}"; do
  say "bench $name"
  if [[ -x build/release/bench_$name ]]; then
    "build/release/bench_$name"
  elif [[ $name == peers ]]; then
    "$python" bench/peers.py --models "$models"
  elif [[ -f bench/$name.py ]]; then
    "$python" "bench/$name.py"
  else
    fail "there is no bench/$name"
  fi
done
