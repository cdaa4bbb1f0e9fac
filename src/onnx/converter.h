// Converter: one row of the ONNX coverage table: an operator over a range of versions, and either
// how it is written in MIL or why it is not. The rows are beside the MIL operators that they need,
// in src/ops/<family>/onnx.cc. Thread rules: immutable tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "onnx/node_context.h"

namespace anemone::onnx {

struct Converter {
  std::string_view op;
  int64_t since = 1;    // first opset the row is for
  int64_t until = 999;  // last one
  Status (*emit)(NodeContext& context) = nullptr;
  // Set when emit is null: why the operator cannot be converted, and what to do instead.
  std::string_view refusal = {};
  std::string_view rewrite = {};
  std::string_view domain = {};  // "" is ai.onnx
};

// The newest version of ai.onnx whose operators the table knows. Before kBroadcastOpset, two tensors
// were brought to one shape by attributes.
constexpr int64_t kBroadcastOpset = 7;
constexpr int64_t kNewestOpset = 28;

// The row for `op`, or null when the table has none at all.
const Converter* FindConverter(std::string_view domain, std::string_view op, int64_t opset);
// Every row, in the order of the families. Defined by the op table (src/ops/registry.cc).
std::span<const Converter* const> AllConverters();

}  // namespace anemone::onnx
