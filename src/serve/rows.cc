#include "serve/rows.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace anemone::serve {

using Tensors = std::map<std::string, exec::Tensor>;

std::optional<int64_t> RowsOf(const Tensors& tensors) {
  std::optional<int64_t> rows;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.shape().empty() || rows.value_or(tensor.shape()[0]) != tensor.shape()[0])
      return std::nullopt;
    rows = tensor.shape()[0];
  }
  return rows;
}

bool FitTogether(const Tensors& a, const Tensors& b) {
  return std::ranges::equal(a, b, [](const auto& left, const auto& right) {
    const exec::Shape& one = left.second.shape();
    const exec::Shape& other = right.second.shape();
    return left.first == right.first && left.second.dtype() == right.second.dtype() &&
           one.size() == other.size() && std::equal(one.begin() + 1, one.end(), other.begin() + 1);
  });
}

Result<Tensors> JoinRows(std::span<const Tensors* const> parts) {
  Tensors joined;
  for (const auto& [name, first] : *parts.front()) {
    exec::Shape shape = first.shape();
    shape[0] = 0;
    for (const Tensors* part : parts) shape[0] += part->at(name).shape()[0];
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(first.dtype(), std::move(shape)));
    auto* to = tensor.As<std::byte>();
    for (const Tensors* part : parts) {
      const exec::Tensor& from = part->at(name);
      std::memcpy(to, from.As<std::byte>(), from.size_bytes());
      to += from.size_bytes();
    }
    joined.emplace(name, std::move(tensor));
  }
  return joined;
}

Result<Tensors> TakeRows(const Tensors& tensors, int64_t begin, int64_t count) {
  Tensors taken;
  for (const auto& [name, from] : tensors) {
    exec::Shape shape = from.shape();
    const size_t row_bytes =
        from.size_bytes() / static_cast<size_t>(std::max<int64_t>(1, shape[0]));
    shape[0] = count;
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(from.dtype(), std::move(shape)));
    std::memcpy(tensor.As<std::byte>(),
                from.As<std::byte>() + static_cast<size_t>(begin) * row_bytes, tensor.size_bytes());
    taken.emplace(name, std::move(tensor));
  }
  return taken;
}

}  // namespace anemone::serve
