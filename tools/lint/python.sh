#!/usr/bin/env bash
# python: ruff over all Python files and mypy over the package, as pyproject.toml sets them up
source "$(dirname "$0")/../lib/common.sh"
cd "${1:-$ROOT}" || exit 1
requirements=tools/packages/lint-requirements.txt
home=$ROOT/build/lint-venv
if ! cmp -s "$requirements" "$home/.stamp"; then
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$home/.stamp"
fi
bad=0
"$home/bin/ruff" check --quiet --output-format concise python tools tests bench || bad=$((bad + 1))
"$home/bin/mypy" --no-error-summary || bad=$((bad + 1))
echo "$(git ls-files '*.py' | wc -l) files, $bad problems"
((bad == 0))
