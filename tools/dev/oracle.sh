#!/usr/bin/env bash
# run a script of tests/oracle or tools/oracle: SCRIPT [ARGUMENT...]; compares us with other implementations
#
# Takes PyTorch and coremltools: those of ANEMONE_ORACLE_PYTHON, or else gigabytes into build/oracle-venv. The programs
# tests/oracle/*.cc are built first. Never part of the tests; what the tests need of it is small files in the tree.
source "$(dirname "$0")/../lib/common.sh"
script=
for folder in tests/oracle tools/oracle; do
  if [[ -n ${1:-} && -f $folder/$1.py ]]; then script=$folder/$1.py; fi
done
if [[ -z $script ]]; then
  echo "usage: ./dev oracle SCRIPT [ARGUMENT...], SCRIPT one of:" >&2
  for path in tests/oracle/*.py tools/oracle/*.py; do
    name=${path##*/}
    echo "  ${name%.py}" >&2
  done
  exit 2
fi
shift
python=${ANEMONE_ORACLE_PYTHON:-build/oracle-venv/bin/python}
if [[ -z ${ANEMONE_ORACLE_PYTHON:-} && ! -x $python ]]; then
  say "PyTorch, coremltools and their friends into build/oracle-venv"
  python3 -m venv build/oracle-venv
  "$python" -m pip install --quiet --disable-pip-version-check -r tools/oracle/requirements.txt
fi
programs=()
for source in tests/oracle/*.cc; do
  name=${source##*/}
  programs+=("anemone_oracle_${name%.cc}")
done
build release "${programs[@]}"
exec "$python" "$script" "$@"
