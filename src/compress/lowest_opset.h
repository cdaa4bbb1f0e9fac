// The op sets that compressed forms need. Thread rules: pure functions.
#pragma once

#include "compress/configuration.h"
#include "ir/op_def.h"

namespace anemone::compress {

// The first op sets that quantize activations, and that have constexpr_cast.
inline constexpr ir::Opset kActivationsOpset = ir::Opset::kIOS17;
inline constexpr ir::Opset kHalfStorageOpset = ir::Opset::kIOS16;

// The lowest op set that has the forms of all settings of a configuration.
ir::Opset LowestOpset(const Configuration& configuration);

}  // namespace anemone::compress
