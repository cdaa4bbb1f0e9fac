# Which files are ours, and where the LLVM tools are: sourced by the format and lint scripts.
# shellcheck shell=bash

# Tracked files, and new ones that git does not ignore, whose name ends in one of the arguments;
# works in a tree without git too.
our_files() {
  local pattern
  pattern=$(IFS='|'; echo "$*")
  {
    if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
      git ls-files --cached --others --exclude-standard
    else
      find . -type f -not -path './build/*' -not -path './.*' | cut -c3-
    fi
  } | grep -E "\.($pattern)\$" | sort -u | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}
cxx_files() { our_files h cc mm; }

# The pinned version of an LLVM tool, so that everyone formats the same way.
llvm_tool() {
  local candidate
  for candidate in "$1-19" "/opt/homebrew/opt/llvm@19/bin/$1" "/usr/local/opt/llvm@19/bin/$1"; do
    if command -v "$candidate" > /dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "$1-19 is missing: ./dev install lint" >&2
  return 1
}
