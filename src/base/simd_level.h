// Which instructions kernels use: a target of Highway and, beyond those that it knows, instructions for
// dot products of 8-bit integers and of bfloat16 numbers.
//
// Thread rules: the level is chosen before kernels run, and changed by tests only, while none does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace anemone {

struct DotInstructions {
  bool avx_vnni = false;     // bytes, at 256 bits
  bool avx512_vnni = false;  // bytes, at 512 bits
  bool avx512_bf16 = false;
  bool amx_int8 = false;  // products of whole tiles; the system allows their use
  bool amx_bf16 = false;

  bool bytes() const { return avx_vnni || avx512_vnni || amx_int8; }
};

struct SimdLevel {
  std::string name;     // as ANEMONE_SIMD says it
  int64_t targets = 0;  // of Highway: the one to use and those below it
  DotInstructions dots;
};

// Those that this machine can run, the least first.
const std::vector<SimdLevel>& SimdLevels();

// The instructions of the level in use; at first, all that the machine has.
const DotInstructions& Dots();

void UseSimdLevel(const SimdLevel& level);

// Uses the level that the environment variable ANEMONE_SIMD names, if it is set. Its first call decides;
// an error where this machine has no such level.
Status UseSimdOfEnvironment();

}  // namespace anemone
