// What each family folder gives, for the families that families.inc lists: the one place where a
// family is named. The tables made of them are in registry.cc. Thread rules: built once on first
// use, immutable afterwards.
#pragma once

#include <span>
#include <vector>

#include "exec/kernel.h"
#include "ir/op_def.h"

namespace anemone::onnx {
struct Converter;
}
namespace anemone::placement {
struct PlaceRule;
}
namespace anemone::torch {
struct Converter;
}

namespace anemone::ops {

#define ANEMONE_FAMILY(family)                         \
  namespace family {                                   \
  std::vector<ir::OpDef> Defs();                       \
  std::span<const exec::KernelEntry> Kernels();        \
  std::span<const onnx::Converter> OnnxConverters();   \
  std::span<const torch::Converter> TorchConverters(); \
  std::span<const placement::PlaceRule> PlaceRules();  \
  }
#include "ops/families.inc"
#undef ANEMONE_FAMILY

}  // namespace anemone::ops
