// Emit: puts compressed forms of a weight into a function, as the constexpr operators of its op
// set. Thread rules: one thread. Errors: whatever the builder finds wrong.
#pragma once

#include <optional>

#include "compress/linear_codec.h"
#include "compress/palette_codec.h"
#include "compress/prune_codec.h"
#include "compress/sites.h"

namespace anemone::compress {

// A palette with what may stand around it.
struct PaletteForm {
  PaletteTensor tensor;
  // Multiplies what the table gives; of tensor's rank. Empty: none.
  std::vector<float> channel_scale = {};
  ir::Shape channel_scale_shape = {};
  // The table as integers; then tensor.table holds what they stand for.
  std::optional<LinearTensor> integer_table = {};
  Bytes packed_indices = {};  // tensor.indices, nbits each
};

// Each takes the place of the site; `bytes` becomes the size of data and parameters.
Status EmitLinear(passes::Rewriter& rewriter, const Site& site, const LinearTensor& tensor,
                  int64_t* bytes);
Status EmitPalette(passes::Rewriter& rewriter, const Site& site, const PaletteForm& form,
                   int64_t* bytes);
Status EmitSparse(passes::Rewriter& rewriter, const Site& site, const SparseTensor& tensor,
                  int64_t* bytes);

// The mask of a constexpr operator (its parameter `name`), one byte for each element.
Result<std::vector<uint8_t>> MaskOf(const ir::Operation& op, std::string_view name);

}  // namespace anemone::compress
