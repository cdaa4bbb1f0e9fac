// Sites: the places in a function where one step of a compression may act, each with its setting
// from the configuration, or the reason why it is skipped. Thread rules: one thread per program.
#pragma once

#include <string>
#include <vector>

#include "compress/configuration.h"
#include "compress/weights.h"

namespace anemone::compress {

enum class SiteKind : uint8_t {
  kDense,          // a constant that operators take as it is
  kSparseValues,   // joint: nonzero_data of constexpr_sparse_to_dense
  kTable,          // joint: lut of constexpr_lut_to_dense or constexpr_lut_to_sparse
  kQuantizedData,  // joint: data of constexpr_blockwise_shift_scale
  kCompressed,     // joint pruning: all of a constexpr operator
};

struct Site {
  SiteKind kind = SiteKind::kDense;
  // The constant, or the constexpr operator (kCompressed), and the operators that take the weight.
  Weight weight;
  ir::Operation* child = nullptr;  // the constexpr operator that takes the constant
  ir::Shape shape;                 // of the final weight
  std::optional<OpConfig> config;  // set unless there is a reason
  std::string reason;
};

// All sites of the function, in program order. Errors: kUsage when the operators that share a
// constant have different settings, or a setting cannot be applied; kUnsupported when the op set
// lacks the form.
Result<std::vector<Site>> FindSites(const passes::Rewriter& rewriter, const WeightStep& step);

}  // namespace anemone::compress
