#include "facade/chip_table.h"

#include <optional>

#include "placement/chip.h"

namespace anemone::facade {
namespace {

Json Published(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace

Json ChipTable() {
  Json chips = Json::Array();
  for (const placement::Chip& chip : placement::AllChips()) {
    chips.push_back({{"name", chip.name},
                     {"title", chip.title},
                     {"family", placement::AneFamilyName(chip.family)},
                     {"phone", chip.phone},
                     {"ane_tops", Published(chip.ane_tops)},
                     {"ane_fp16_tflops", Published(chip.ane_fp16_tflops)},
                     {"gpu_fp16_tflops", Published(chip.gpu_fp16_tflops)},
                     {"dram_gbps", Published(chip.dram_gbps)},
                     {"int8_compute", chip.int8_compute},
                     {"max_width_height", chip.max_width_height},
                     {"max_dimension", chip.max_dimension},
                     {"max_kernel_width", chip.max_kernel_width},
                     {"max_kernel_height", chip.max_kernel_height},
                     {"rules_measured", chip.rules_measured}});
  }
  return chips;
}

}  // namespace anemone::facade
