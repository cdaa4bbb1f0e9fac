// Palettization of one tensor: tables of 2^nbits entries and an index for each element. One table
// for the whole tensor, or one for each group of channels; entries are single values or, with
// cluster_dim > 1, vectors of neighbors along the channel axis. Thread rules: pure functions;
// results do not depend on the machine. Errors: kInvalidInput with the reason why this tensor
// cannot be palettized.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "ir/literal.h"

namespace anemone::compress {

enum class PaletteMode : uint8_t { kKMeans, kUniform, kUnique };

struct PaletteParameters {
  PaletteMode mode = PaletteMode::kKMeans;
  int nbits = 4;           // 0 with kUnique
  bool three_bits = true;  // kUnique: whether 3 bits may be chosen (from ios18 on)
  int channel_axis = 0;    // of groups and vectors
  int64_t group_size = 0;  // channels that share a table; 0: all
  int64_t cluster_dim = 1;
  // A weight >= 0 for each element; empty: all equal. Elements of weight 0 do not shape the tables.
  std::span<const float> importance = {};
};

struct PaletteTensor {
  int nbits = 0;
  std::vector<uint8_t> indices;  // row-major over index_shape
  ir::Shape index_shape;         // the tensor's, but with vectors shorter along channel_axis
  std::vector<float> table;      // row-major over table_shape; values of the tensor's dtype
  ir::Shape table_shape;         // [1 or groups along channel_axis ..., 2^nbits, cluster_dim]
  int channel_axis = 0;
  double max_error = 0;
  double rms_error = 0;
};

// `weight`: fp32, fp16 or int8, uint8 (then the table holds whole numbers), finite, rank 1 or more.
Result<PaletteTensor> Palettize(const ir::Literal& weight, const PaletteParameters& parameters);

// The values that `tensor` represents.
Result<ir::Literal> Depalettize(const PaletteTensor& tensor, DType dtype);

}  // namespace anemone::compress
