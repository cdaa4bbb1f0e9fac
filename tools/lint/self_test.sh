#!/usr/bin/env bash
# self_test: each lint passes a good tree and fails when one violation of its rule is planted
source "$(dirname "$0")/../lib/common.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
tried=0
bad=0

run_lint() {
  if [[ -f $ROOT/tools/lint/$1.py ]]; then
    python3 -B "$ROOT/tools/lint/$1.py" "$tree"
  else
    bash "$ROOT/tools/lint/$1.sh" "$tree"
  fi
}
good_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{src/base,src/ir,src/onnx,src/ops/conv,src/ops/pool,src/cli,docs,tools/dev}
  printf '// A number.\n#pragma once\n\nint Number();\n' > "$tree/src/base/number.h"
  printf '#include "base/number.h"\n\n// throw, abort() and printf("exit(1)") in words are fine.\nint Number() { return 1; }\n' \
    > "$tree/src/base/number.cc"
  printf '#include "base/number.h"\n' | tee "$tree/src/ir/program.cc" > "$tree/src/ops/conv/def.cc"
  printf '// Shapes.\n#pragma once\n' > "$tree/src/ops/conv/shape.h"
  printf '// Reads ONNX.\n#pragma once\nnamespace anemone::onnx {\nstruct Thing {};\n}  // namespace anemone::onnx\n' > "$tree/src/onnx/import.h"
  printf '// Another thing.\n#pragma once\nnamespace anemone::ops {\nstruct Thing {};\n}  // namespace anemone::ops\n' > "$tree/src/ops/thing.h"
  printf '#include "ops/thing.h"\n' > "$tree/src/ops/pool/onnx.cc"
  printf '#include "onnx/import.h"\n#include "ops/conv/shape.h"\n' > "$tree/src/ops/conv/onnx.cc"
  printf '#include <iostream>\n\nint main() { std::cout << 1; }\n' > "$tree/src/cli/main.cc"
  printf 'See [the base](docs/base.md), `src/base/number.h`, `src/ops/<family>/def.cc`.\n' > "$tree/README.md"
  printf 'See [home](../README.md) and `src/{base,ir}/`. Programming otherwise raises a cancelled promise.\n' > "$tree/docs/base.md"
  printf '#!/usr/bin/env bash\n# say hello\necho hello\n' > "$tree/tools/dev/hello.sh"
  mkdir -p "$tree/cmake"
  sed -n '/ANEMONE_HOT_SOURCES$/,/ANEMONE_JOINED_HOT_SOURCES /p' cmake/options.cmake > "$tree/cmake/options.cmake"
  printf 'namespace anemone::ir {\nnamespace {\nint Once() { return 1; }\n}  // namespace\n}  // namespace anemone::ir\n' \
    > "$tree/src/ir/type.cc"
  cp .clang-format "$tree/"
}
# must_fail LINT PATH TEXT: LINT fails once TEXT is appended to the file.
must_fail() {
  local lint=$1 path=$2 text=$3 out
  good_tree
  mkdir -p "$tree/$(dirname "$path")"
  printf '%b\n' "$text" >> "$tree/$path"
  tried=$((tried + 1))
  if out=$(run_lint "$lint" 2>&1); then
    echo "$lint does not see in $path: $text"
    bad=$((bad + 1))
  elif [[ $out != *"${path}:"* ]]; then
    echo "$lint fails, but does not name $path: $out"
    bad=$((bad + 1))
  fi
}

good_tree
for lint in joined layers headers banned leftovers sizes paths format scripts spelling; do
  tried=$((tried + 1))
  if ! out=$(run_lint $lint 2>&1); then
    printf '%s fails on a good tree:\n%s\n' "$lint" "$out"
    bad=$((bad + 1))
  fi
done

# The double and the backend as they are, and one planted difference from Apple's interface each.
coreml_must_fail() {
  local path=$1 from=$2 to=$3
  good_tree
  mkdir -p "$tree"/{src/coreml,tests/doubles/CoreML,tests/doubles/CoreVideo}
  cp "$ROOT"/src/coreml/* "$tree/src/coreml/"
  cp "$ROOT"/tests/doubles/CoreML/{CoreML.h,apple_interface.json} "$tree/tests/doubles/CoreML/"
  cp "$ROOT"/tests/doubles/CoreVideo/CVPixelBuffer.h "$tree/tests/doubles/CoreVideo/"
  sed -i.bak "s/$from/$to/" "$tree/$path"
  tried=$((tried + 1))
  if cmp -s "$tree/$path" "$tree/$path.bak"; then
    echo "coreml_selectors: there is no '$from' in $path"
    bad=$((bad + 1))
  elif run_lint coreml_selectors > /dev/null 2>&1; then
    echo "coreml_selectors does not see $to in $path"
    bad=$((bad + 1))
  fi
}
coreml_must_fail tests/doubles/CoreML/CoreML.h 'newState;' 'makeState;'
coreml_must_fail tests/doubles/CoreML/CoreML.h 'interface MLState ' 'interface MLStates '
coreml_must_fail tests/doubles/CoreML/CoreML.h '+ (NSURL\*)compileModelAtURL' '- (NSURL*)compileModelAtURL'
coreml_must_fail tests/doubles/CoreML/CoreML.h 'MLComputeUnitsAll = 2' 'MLComputeUnitsAll = 3'
coreml_must_fail tests/doubles/CoreML/CoreML.h 'NSInteger size,' 'NSInteger size, NSInteger more,'
coreml_must_fail tests/doubles/CoreVideo/CVPixelBuffer.h 'size_t width, size_t height' 'size_t width'
coreml_must_fail src/coreml/executable.mm ' newState' ' makeState'
coreml_must_fail src/coreml/objc.mm 'longLongValue' 'veryLongValue'
must_fail joined src/ops/conv/onnx.cc 'namespace anemone::ops::conv {\nusing namespace onnx;\nThing thing;\n}'
must_fail joined src/ir/program.cc 'namespace anemone::ir {\nnamespace {\nint Once() { return 2; }\n}\n}'
must_fail layers src/base/number.cc '#include "ir/program.h"'
must_fail layers src/ir/program.cc '#include "onnx/import.h"'
must_fail layers src/ops/conv/def.cc '#include "onnx/import.h"'
must_fail layers src/ops/pool/def.cc '#include "ops/conv/shape.h"'
must_fail layers src/unheard/new.cc 'int x;'
must_fail layers src/base/number.cc '#include "number.h"'
must_fail headers src/base/bare.h '#pragma once'
must_fail headers src/base/twice.h '// No guard.'
must_fail headers include/anemone/json.h '// Public.\n#pragma once\n#include <nlohmann/json.hpp>'
heavy_header() {  # a header of onnx/ that brings in protobuf is used from ops/
  good_tree
  printf '#include <google/protobuf/message.h>\n' >> "$tree/src/onnx/import.h"
  tried=$((tried + 1))
  if run_lint headers > /dev/null 2>&1; then
    echo "headers does not see protobuf cross from onnx/ to ops/"
    bad=$((bad + 1))
  fi
}
heavy_header
must_fail banned src/base/number.cc 'void F() { std::abort(); }'
must_fail banned src/base/number.cc 'void F() { exit(3); }'
must_fail banned src/base/number.cc 'void F() { std::cout << 1; }'
must_fail banned src/base/number.cc 'void F() { fprintf(stderr, "x"); }'
must_fail banned src/base/number.cc 'void F() { throw 1; }'
must_fail banned src/cli/main.cc 'int G() { return std::stoi("1"); }'
must_fail leftovers docs/base.md '<<<<<<< HEAD\nold\n=======\nnew\n>>>>>>> branch'
must_fail sizes src/base/long.cc "$(for _ in $(seq 601); do printf '\\n'; done)"
must_fail sizes docs/large.bin "$(head -c 300000 /dev/zero | tr '\0' x)"
must_fail paths README.md 'See `src/base/gone.h`.'
must_fail paths docs/base.md 'See [gone](gone.md).'
must_fail paths docs/base.md 'See `src/{base,gone}/`.'
must_fail paths src/base/number.cc '// See src/base/gone.h.'
must_fail paths src/base/number.cc '// See base/gone.h.'
must_fail paths src/base/number.cc 'int two = 2;  // see gone.h'
must_fail paths tools/dev/hello.sh '# see tools/dev/gone.sh'
must_fail spelling src/base/number.cc '// The neighbouring colour.'
must_fail spelling src/base/number.cc 'int NormaliseAxes();'
must_fail spelling docs/base.md 'A licence.'
must_fail format src/base/number.cc 'int   F( ){return 1 ;}'
must_fail scripts tools/dev/broken.sh '#!/usr/bin/env bash\n# says something\nif then'
must_fail scripts tools/dev/mute.sh '#!/usr/bin/env bash\necho hello'
echo "$tried cases, $bad problems"
((bad == 0))
