// WeightSource: the weights of layers as literals of the program: float32, half precision,
// quantized linearly or by a table to 1 to 8 bits.
//
// Ownership: float32 weights are views into the file's message and keep it alive; others are
// decoded. Thread rules: immutable. Errors: kInvalidInput when the number of values is not that of
// the shape, or when a value is stored in more than one form.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "format/proto/neural_network_layers.pb.h"
#include "ir/literal.h"

namespace anemone::neural_network {

// More elements than any array of a network has.
inline constexpr int64_t kMaxElements = int64_t{1} << 35;

class WeightSource {
 public:
  WeightSource() = default;
  // `owner` keeps the messages alive that Read is given.
  explicit WeightSource(std::shared_ptr<const void> owner) : owner_(std::move(owner)) {}

  // `channel_axis` is the one along which linear quantization may differ.
  Result<ir::Literal> Read(const format::proto::nn::WeightParams& params, const ir::Shape& shape,
                           size_t channel_axis = 0) const;
  // The same values, to compute with.
  Result<std::vector<float>> ReadFloats(const format::proto::nn::WeightParams& params,
                                        const ir::Shape& shape, size_t channel_axis = 0) const;

 private:
  std::shared_ptr<const void> owner_;
};

// Whether the message holds any value.
bool HasWeights(const format::proto::nn::WeightParams& params);

}  // namespace anemone::neural_network
