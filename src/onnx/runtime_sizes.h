// RuntimeSizes: what the importer knows of sizes that only the run time knows. It keeps the dims of
// every value of the program, as sizes of Symbols, infers those of new operations, and writes sizes
// as MIL operations where an operator needs them as numbers: a dimension of a value is shape and
// gather, an expression is int32 arithmetic on these.
//
// The types of the values hold kDynamic in the place of a symbol. A dimension that no rule derives
// becomes a symbol of its own, "the size of this value along this axis", which is always right.
//
// Ownership: points into the program that the importer builds. Thread rules: one thread.
#pragma once

#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/builder.h"
#include "onnx/symbols.h"

namespace anemone::onnx {

class RuntimeSizes {
 public:
  // `main` appends to the function's own block.
  explicit RuntimeSizes(ir::Builder& main) : main_(main) {}

  Symbols& symbols() { return symbols_; }
  const Symbols& symbols() const { return symbols_; }

  // Whether the dims of `value` are known: numbers, or set or inferred before.
  bool Knows(const ir::Value* value) const {
    return value->type.is_static() || dims_.contains(value);
  }
  // The dims of a tensor value of known rank.
  const ir::Shape& DimsOf(ir::Value* value);
  // Says the dims of a value; numbers among them also become part of its type, and kDynamic becomes
  // a symbol of its own.
  void SetDims(ir::Value* value, ir::Shape dims);
  // Derives the dims of an operation's outputs. kUnsupported when a size would be below 1 somewhere
  // in the range of the open dimensions.
  Status Infer(const ir::Operation& operation, ir::Opset opset);

  // `size` as a tensor int32 [1]; in the block of `here` when it depends on a value of that block.
  Result<ir::Value*> Value(int64_t size, ir::Builder& here);
  // All of them as a tensor int32 [n]; null type for none.
  Result<ir::Value*> Vector(const std::vector<int64_t>& sizes, ir::Builder& here,
                            std::string_view name);

 private:
  struct Place {
    ir::Value* value = nullptr;
    size_t axis = 0;
  };
  // The output dims that the operator's rule gives; nullopt without a rule.
  std::optional<ir::Shape> Rule(const ir::Operation& operation, size_t output, ir::Opset opset);
  std::optional<ir::Shape> RuleOfTraits(const ir::Operation& operation);
  std::optional<ir::Shape> WindowRule(const ir::Operation& operation, ir::Opset opset);
  ir::Shape Broadcast(const std::vector<ir::Value*>& values);
  Status CheckSizes(const ir::Operation& operation, const ir::Shape& dims);
  Result<ir::Value*> Dimension(const Place& place, ir::Builder& here);
  Result<ir::Value*> Expression(int64_t size, ir::Builder& here);
  bool InMain(const ir::Value* value) const;

  ir::Builder& main_;
  Symbols symbols_;
  std::unordered_map<const ir::Value*, ir::Shape> dims_;
  std::unordered_map<int64_t, Place> places_;  // where a size can be read
  std::unordered_map<const ir::Value*, ir::Value*> shapes_;
  std::unordered_map<int64_t, ir::Value*> written_;
};

}  // namespace anemone::onnx
