// FoldedConstants: the values of a function that follow from its constants alone, whatever the input
// shapes: weights decompressed by constexpr_* operators, and what pure operators make of constants.
// The plans of one function share it, so that each is computed once.
//
// Ownership: small values are kept. A large one lives as long as somebody holds it: once it is packed
// nobody does, so that unpacked weights do not stay in memory beside packed ones. Thread rules: one
// thread at a time. Errors: the operator's, placed at the operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/status.h"
#include "ir/program.h"

namespace anemone::cpu {

using LiteralRef = std::shared_ptr<const ir::Literal>;

class FoldedConstants {
 public:
  explicit FoldedConstants(ir::Opset opset) : opset_(opset) {}

  // The literal of `value`: a constant, or a result of a pure operation on such values.
  Result<LiteralRef> Get(const ir::Value& value);
  // How many operations have been computed, again for values that nobody held.
  int64_t foldings() const { return foldings_; }

 private:
  struct Entry {
    std::weak_ptr<const ir::Literal> held;
    LiteralRef kept;
  };

  Status Fold(const ir::Operation& operation, const ir::Value& wanted, LiteralRef* result);

  ir::Opset opset_;
  std::unordered_map<const ir::Value*, Entry> entries_;
  int64_t foldings_ = 0;
};

// Literals up to this size are kept.
constexpr size_t kSmallLiteralBytes = 4096;

}  // namespace anemone::cpu
