#!/usr/bin/env bash
# run every lint of tools/lint, or those named: [NAME...] (format tidy layers headers banned ...)
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build lint
mkdir -p "$LOG_DIR"
if (($# == 0)); then
  for script in tools/lint/*; do
    name=${script##*/}
    case $name in
      common.py | compiled.py | layers.txt | portable.py | tidy.py | __pycache__) ;;
      *) set -- "$@" "${name%.*}" ;;
    esac
  done
  set -- "$@" portable tidy  # last: they are the slow ones
fi

failed=()
for name in "$@"; do
  started=$SECONDS
  log=$LOG_DIR/lint-$name.log
  run=(bash "tools/lint/$name.sh")
  if [[ -f tools/lint/$name.py ]]; then run=(python3 "tools/lint/$name.py"); fi
  [[ -f ${run[1]} ]] || fail "there is no lint '$name' in tools/lint"
  # Both read the compile commands and the headers that protoc makes.
  if [[ $name == portable || $name == tidy ]] &&
    ! (build lint anemone_proto_headers) > "$LOG_DIR/lint-build.log" 2>&1; then
    cat "$LOG_DIR/lint-build.log" >&2
    fail "$name needs a tree that configures"
  fi
  verdict=ok
  "${run[@]}" > "$log" 2>&1 || verdict=FAILED
  if [[ $verdict == FAILED ]]; then
    failed+=("$name")
    cat "$log"
  fi
  printf '%-7s %-10s %s (%d s)\n' "$verdict" "$name" "$(tail -n 1 "$log")" $((SECONDS - started))
done
echo
if ((${#failed[@]})); then
  echo "== ./dev lint: FAILED: ${failed[*]}   (build/logs/lint-NAME.log)"
  exit 1
fi
echo "== ./dev lint: passed ($#)"
