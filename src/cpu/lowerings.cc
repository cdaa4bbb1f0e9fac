#include "cpu/lowerings.h"

#include <unordered_map>

namespace anemone::cpu {

Lowering FindLowering(std::string_view operation) {
  static const auto table = [] {
    std::unordered_map<std::string_view, Lowering> all;
    for (const auto& entries : {ConvLowerings(), LinearLowerings(), ElementwiseLowerings(),
                                RowLowerings(), MoveLowerings(), SpatialLowerings(),
                                QuantizeLowerings(), RecurrentLowerings(), UpdateLowerings()}) {
      for (const LoweringEntry& entry : entries) all.emplace(entry.operation, entry.lower);
    }
    return all;
  }();
  const auto found = table.find(operation);
  return found == table.end() ? nullptr : found->second;
}

Lowering FindStateLowering(std::string_view operation) {
  for (const LoweringEntry& entry : StateLowerings()) {
    if (entry.operation == operation) return entry.lower;
  }
  return nullptr;
}

}  // namespace anemone::cpu
