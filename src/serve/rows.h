// Tensors joined along their first dimension, and taken apart again. Thread rules: pure functions.
// Errors: those of allocation.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "exec/tensor.h"

namespace anemone::serve {

// The first dimension that all have; nullopt when they differ, or one has none.
std::optional<int64_t> RowsOf(const std::map<std::string, exec::Tensor>& tensors);
// Whether they differ in their first dimensions at most.
bool FitTogether(const std::map<std::string, exec::Tensor>& a,
                 const std::map<std::string, exec::Tensor>& b);
// Of parts that fit together.
Result<std::map<std::string, exec::Tensor>> JoinRows(
    std::span<const std::map<std::string, exec::Tensor>* const> parts);
// The rows [begin, begin + count) of tensors that have them.
Result<std::map<std::string, exec::Tensor>> TakeRows(
    const std::map<std::string, exec::Tensor>& tensors, int64_t begin, int64_t count);

}  // namespace anemone::serve
