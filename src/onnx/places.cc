#include "onnx/places.h"

#include <algorithm>

namespace anemone::onnx {

ir::Value* PlacesOf(NodeContext& c, ir::Value* x) {
  ir::Value* places = c.Op("non_zero", {{"x", x}});
  if (places == nullptr) return places;
  // n becomes a size that others can be computed from.
  int64_t most = 1;
  for (const int64_t size : c.DimsOf(x)) {
    const int64_t high = c.symbols().BoundsOf(size).high;
    most =
        high < Symbols::kUnbounded / std::max<int64_t>(most, 1) ? most * high : Symbols::kUnbounded;
  }
  const int64_t n = c.symbols().AddOpen(fmt::format("size 0 of '{}'", places->name), {0, most}, 1);
  return c.WithDims(places, {n, x->type.rank()});
}

}  // namespace anemone::onnx
