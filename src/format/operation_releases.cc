#include "format/operation_releases.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/status.h"

namespace anemone::format {
namespace {

// For each op set from iOS15 to iOS18, the last digit of the release whose definition is in force;
// '?' where no public compiled model shows it.
struct ReleaseRow {
  std::string_view operation;
  std::string_view releases;
};
constexpr std::array<ReleaseRow, 65> kOperationReleases{{
    {"abs", "5?7?"},
    {"add", "567?"},
    {"atan", "5?7?"},
    {"avg_pool", "5?6?"},
    {"cast", "567?"},
    {"clip", "567?"},
    {"concat", "557?"},
    {"constexpr_affine_dequantize", "?66?"},
    {"constexpr_lut_to_dense", "?66?"},
    {"constexpr_sparse_to_dense", "?66?"},
    {"conv", "567?"},
    {"cumsum", "5?6?"},
    {"einsum", "56??"},
    {"equal", "5?7?"},
    {"expand_dims", "557?"},
    {"fill_like", "?66?"},
    {"floor", "5?7?"},
    {"floor_div", "5?7?"},
    {"gather", "5?7?"},
    {"gather_along_axis", "5?7?"},
    {"gelu", "5?6?"},
    {"greater", "5?7?"},
    {"greater_equal", "5?7?"},
    {"identity", "555?"},
    {"instance_norm", "5?7?"},
    {"layer_norm", "5?7?"},
    {"less", "5?7?"},
    {"linear", "5?7?"},
    {"log", "567?"},
    {"logical_and", "5?7?"},
    {"logical_not", "5?7?"},
    {"lstm", "567?"},
    {"matmul", "5?7?"},
    {"maximum", "5?7?"},
    {"minimum", "5?7?"},
    {"mul", "567?"},
    {"pad", "555?"},
    {"pow", "567?"},
    {"range_1d", "555?"},
    {"real_div", "5?7?"},
    {"reduce_argmax", "567?"},
    {"reduce_l2_norm", "5?6?"},
    {"reduce_max", "56??"},
    {"reduce_mean", "56??"},
    {"reduce_sum", "5?6?"},
    {"relu", "5668"},
    {"reshape", "567?"},
    {"select", "555?"},
    {"shape", "555?"},
    {"sigmoid", "566?"},
    {"silu", "5?6?"},
    {"sin", "5?7?"},
    {"slice_by_index", "557?"},
    {"softmax", "5?6?"},
    {"split", "555?"},
    {"sqrt", "567?"},
    {"squeeze", "557?"},
    {"stack", "555?"},
    {"sub", "567?"},
    {"tanh", "5?7?"},
    {"tile", "555?"},
    {"topk", "5?7?"},
    {"transpose", "557?"},
    {"upsample_bilinear", "5?6?"},
    {"upsample_nearest_neighbor", "555?"},
}};

// "gather_along_axis" -> "gatherAlongAxis".
std::string CamelCase(std::string_view operation) {
  std::string name;
  for (size_t i = 0; i < operation.size(); ++i) {
    const bool start = i > 0 && operation[i - 1] == '_';
    if (operation[i] == '_') continue;
    name += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(operation[i])))
                  : operation[i];
  }
  return name;
}

}  // namespace

ReleasedName ReleasedNameOf(std::string_view operation, ir::Opset opset) {
  constexpr char kOldest = '5';
  const auto index = static_cast<size_t>(opset);
  const auto row = std::ranges::find(kOperationReleases, operation, &ReleaseRow::operation);
  char release = kOldest;
  bool seen = false;
  if (row != kOperationReleases.end()) {
    size_t known = index + 1;
    while (known > 0 && row->releases[known - 1] == '?') --known;
    if (known > 0) release = row->releases[known - 1];
    seen = known == index + 1;
  } else if (const ir::OpDef* def = ir::FindOpDef(operation)) {
    release = static_cast<char>(kOldest + static_cast<int>(def->since));
    // What iOS15 defines is iOS15's definition there.
    seen = opset == ir::Opset::kIOS15;
  }
  ReleasedName name{CamelCase(operation), seen};
  if (release == kOldest) {
    if (!name.name.empty()) {
      name.name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name.name[0])));
    }
  } else {
    name.name = fmt::format("Ios1{}.{}", release, name.name);
  }
  return name;
}

}  // namespace anemone::format
