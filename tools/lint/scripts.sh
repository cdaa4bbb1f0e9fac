#!/usr/bin/env bash
# scripts: shell scripts parse, and the second line of each verb and lint says what it does
source "$(dirname "$0")/../lib/common.sh"
cd "${1:-$ROOT}" || exit 1
bad=0
count=0
problem() {
  echo "$1"
  bad=$((bad + 1))
}
for script in dev .ci/run tools/*/*.sh; do
  [[ -f $script ]] || continue
  count=$((count + 1))
  bash -n "$script" 2> /dev/null || problem "$script:1: does not parse"
  if [[ $script == tools/dev/* ]]; then
    { read -r first && read -r second; } < "$script" || true
    [[ ${first:-} == '#!'* && ${second:-} == '# '* ]] || problem "$script:2: say here what the verb does"
  fi
  if command -v shellcheck > /dev/null && ! out=$(shellcheck -x -s bash -S warning -f gcc "$script"); then
    problem "$out"
  fi
done
echo "$count scripts, $bad problems"
((bad == 0))
