#!/usr/bin/env bash
# consumers: programs in C, C++ and Rust are built against an installed tree and give the command's numbers: BUILD
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
work=$(mktemp -d)
export CMAKE_GENERATOR=Ninja  # make need not be there
trap 'rm -rf "$work"' EXIT
prefix=$work/usr
cmake --install "$build" --prefix "$prefix" > /dev/null

# What the library shows: the C functions, and what the headers declare.
library=$(find "$prefix" -name 'libanemone.so' -o -name 'libanemone.dylib' | head -n 1)
folder=$(dirname "$library")
if [[ $library == *.so ]]; then
  nm -DC --defined-only "$library" | cut -d' ' -f3- | sed -E 's/^(typeinfo|typeinfo name|vtable) for //' > "$work/symbols"
  grep -q '^anemone_session_run$' "$work/symbols"
  # The name itself: without arguments and, for a template, without what it returns. A name of an inner namespace is
  # not public, however it is called.
  sed -E 's/\(.*//; s/^.* (anemone::)/\1/' "$work/symbols" | sort -u > "$work/names"
  while read -r name; do
    short=$(sed -E 's/^anemone::([A-Z][A-Za-z]*|k[A-Z][A-Za-z]*).*$/\1/' <<< "$name")
    [[ $short =~ ^[A-Za-z_]+$ ]] && grep -qw "$short" "$prefix"/include/anemone/*.h || {
      echo "libanemone.so shows $name, which is not in include/anemone/"
      exit 1
    }
  done < "$work/names"
fi

model=$here/../fixtures/packages/convolution_spec7.mlpackage
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release > "$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }
cmake --build "$work/build" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/cpp_consumer" "$model" | tee "$work/cpp"
"$work/build/c_consumer" "$model" | tee "$work/c"
cmp "$work/cpp" "$work/c"
# The example that people copy.
cmake -S "$here/../../examples/cpp" -B "$work/example" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" \
  > "$work/log" 2>&1 && cmake --build "$work/example" >> "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/example/classify" "$model" | tee "$work/classify"
grep -q '^computed by cpu in ' "$work/classify"
# The same without CMake.
if command -v pkg-config > /dev/null; then
  export PKG_CONFIG_PATH=$folder/pkgconfig
  # shellcheck disable=SC2046
  ${CC:-cc} "$here/c/main.c" $(pkg-config --cflags --libs anemone) -Wl,-rpath,"$folder" -o "$work/plain"
  "$work/plain" "$model" | cmp - "$work/c"
fi
if command -v cargo > /dev/null; then
  ANEMONE_LIB_DIR=$folder CARGO_TARGET_DIR=$build/cargo cargo run --quiet --offline \
    --manifest-path "$here/../../bindings/rust/Cargo.toml" --example run -- "$model" | tee "$work/rust"
  [[ $(sed 's/.*sum //' "$work/rust" | cut -c1-6) == $(sed 's/.*sum //' "$work/c" | cut -c1-6) ]]
else
  echo "NOT RUN: Rust (cargo is missing)"
fi
"$prefix/bin/anemone" --version > /dev/null
test -s "$prefix/share/man/man1/anemone.1"
test -s "$prefix/share/bash-completion/completions/anemone"
