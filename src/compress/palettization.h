// Palettization of weights (palette_codec.h), coremltools' OpPalettizerConfig, with its extensions:
// scales by channel, tables of integers, values weighted by how strongly their inputs drive them.
// Thread rules: values.
#pragma once

#include <cstdint>
#include <optional>

#include "base/dtype.h"
#include "compress/op_config.h"
#include "compress/palette_codec.h"

namespace anemone::compress {

const Method& Palettization();

struct PaletteConfig {
  PaletteMode mode = PaletteMode::kKMeans;
  int nbits = 0;  // 1, 2, 3, 4, 6, 8; 0 for kUnique, which finds it
  Granularity granularity = Granularity::kPerTensor;  // or kPerGroupedChannel
  int64_t group_size = 32;                            // channels that share a table
  std::optional<int> channel_axis = {};               // default: by the operator
  int64_t cluster_dim = 1;                            // values of one table entry
  bool enable_per_channel_scale = false;
  int64_t weight_threshold = kDefaultWeightThreshold;
  DType lut_dtype = DType::kInvalid;  // kInt8, kUInt8: the tables are quantized in turn (iOS18)
  // Weight each value by the mean square of its inputs; needs calibration inputs.
  bool sensitivity = false;

  static const Method& method() { return Palettization(); }
  friend bool operator==(const PaletteConfig&, const PaletteConfig&) = default;
};

}  // namespace anemone::compress
