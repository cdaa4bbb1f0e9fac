#!/usr/bin/env bash
# format: C++ is formatted by clang-format-19 (./dev format does it)
source "$(dirname "$0")/../lib/common.sh"
source tools/lib/sources.sh
cd "${1:-$ROOT}" || exit 1
tool=$(llvm_tool clang-format)
files=()
while read -r file; do files+=("$file"); done < <(cxx_files)
bad=0
for file in ${files[@]+"${files[@]}"}; do
  if ! "$tool" --dry-run --Werror "$file" > /dev/null 2>&1; then
    echo "$file:1: not formatted: ./dev format"
    bad=$((bad + 1))
  fi
done
echo "${#files[@]} files, $bad problems"
((bad == 0))
