#include "onnx/converter.h"

#include <map>
#include <utility>

namespace anemone::onnx {

const Converter* FindConverter(std::string_view domain, std::string_view op, int64_t opset) {
  using Key = std::pair<std::string_view, std::string_view>;
  static const auto* const table = [] {
    auto* by_name = new std::multimap<Key, const Converter*>();
    for (const Converter* row : AllConverters()) by_name->insert({{row->domain, row->op}, row});
    return by_name;
  }();
  const auto [begin, end] = table->equal_range(Key(domain, op));
  for (auto row = begin; row != end; ++row) {
    if (!domain.empty()) return row->second;
    if (opset >= row->second->since && opset <= row->second->until) return row->second;
  }
  return nullptr;
}

}  // namespace anemone::onnx
