// Converter: one row of the table of ATen operators: how one is written in ONNX's operators. The rows
// are beside the MIL operators that they end as, in src/ops/<family>/torch.cc. Thread rules: immutable
// tables.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"

namespace anemone::torch {

class Context;

struct Converter {
  std::string_view target;  // "aten.conv2d.default"
  Status (*emit)(Context& c) = nullptr;
  // Set when emit is null: why the operator cannot be converted, and what to do instead.
  std::string_view refusal = {};
  std::string_view rewrite = {};
};

// Null when the table has no row for it.
const Converter* FindConverter(std::string_view target);
// Every row, in the order of the families. Defined by the op table (src/ops/registry.cc).
std::span<const Converter* const> AllConverters();

}  // namespace anemone::torch
