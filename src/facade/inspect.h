// Inspect: the contents of a model as data: features, operators, weights by dtype, arithmetic.
// Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

struct OperatorRow {
  std::string name;
  std::string type;
  std::string output;  // type of the first output
  int64_t flops = 0;   // 0 for pure data movement; -1 when shapes are dynamic
  int64_t weight_bytes = 0;
};

struct WeightRow {
  std::string name;
  std::string type;  // "tensor<fp32, [64, 3, 7, 7]>"
  int64_t bytes = 0;
};

struct Summary {
  int32_t spec_version = 0;
  std::string target;  // "iOS17"
  std::string function;
  std::vector<std::string> functions;
  std::map<std::string, int64_t> operator_counts;  // constants left out
  std::map<std::string, int64_t> weight_bytes_by_dtype;
  int64_t operations = 0;
  int64_t weight_bytes = 0;
  int64_t parameters = 0;
  int64_t flops = 0;  // a multiply-accumulate counts as two; dynamic operators left out
  std::vector<OperatorRow> operators;
  std::vector<WeightRow> weights;  // tensors of more than 10 elements, largest first
};

// The summary of the function named `function`, or of the default one.
Result<Summary> Inspect(const ir::Model& model, const std::string& function = "");

// Whether the function computes in half precision already.
bool UsesHalf(const ir::Function& function);

// "image: image 224x224 rgb", "logits: fp32 [1, 1000]".
std::string DescribeFeature(const ir::Feature& feature);

}  // namespace anemone::facade
