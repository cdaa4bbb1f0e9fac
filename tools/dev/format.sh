#!/usr/bin/env bash
# format the C++ sources in place with clang-format-19: [FILE...]
source "$(dirname "$0")/../lib/common.sh"
source tools/lib/sources.sh
bash tools/dev/install.sh lint
files=("$@")
if ((${#files[@]} == 0)); then
  while read -r file; do files+=("$file"); done < <(cxx_files)
fi
"$(llvm_tool clang-format)" -i "${files[@]}"
say "formatted ${#files[@]} files"
