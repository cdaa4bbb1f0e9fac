#include "neural_network/windows.h"

#include <algorithm>

#include "ir/type.h"
#include "neural_network/layer_context.h"

namespace anemone::neural_network {

Result<std::vector<int64_t>> ReadBorder(const nn::BorderAmounts& border) {
  if (border.borderamounts_size() == 0) return std::vector<int64_t>(4, 0);
  if (border.borderamounts_size() != 2) {
    return InvalidInput("{} border amounts for height and width", border.borderamounts_size());
  }
  std::vector<int64_t> pad;
  for (const auto& edge : border.borderamounts()) {
    for (const uint64_t size : {edge.startedgesize(), edge.endedgesize()}) {
      ANEMONE_ASSIGN(const int64_t checked, CheckedSize(size, "a border amount", 0));
      pad.push_back(checked);
    }
  }
  return pad;
}

Result<WindowPadding> ValidPaddingOf(const nn::ValidPadding& valid) {
  WindowPadding padding;
  ANEMONE_ASSIGN(padding.pad, ReadBorder(valid.paddingamounts()));
  if (std::ranges::all_of(padding.pad, [](int64_t amount) { return amount == 0; })) {
    padding.type = "valid";
  }
  return padding;
}

Result<WindowPadding> SamePaddingOf(const nn::SamePadding& same, const std::vector<int64_t>& sizes,
                                    const std::vector<int64_t>& extents,
                                    const std::vector<int64_t>& strides) {
  if (same.asymmetrymode() == nn::SamePadding::BOTTOM_RIGHT_HEAVY) {
    return WindowPadding::Same(sizes.size());
  }
  if (same.asymmetrymode() != nn::SamePadding::TOP_LEFT_HEAVY) {
    return InvalidInput("asymmetry mode {} is unknown", static_cast<int>(same.asymmetrymode()));
  }
  WindowPadding padding;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == ir::kDynamic) {
      return Unsupported("padding 'same', heavier at the top left, of an input of any size");
    }
    const int64_t outputs = (sizes[d] + strides[d] - 1) / strides[d];
    const int64_t total = std::max<int64_t>((outputs - 1) * strides[d] + extents[d] - sizes[d], 0);
    padding.pad.push_back(total - total / 2);
    padding.pad.push_back(total / 2);
  }
  return padding;
}

}  // namespace anemone::neural_network
