// conv and linear on integers: y = (sum of integer products) * scale + bias, where the activations were
// quantized as a whole and the weights for each output channel. The sums are exact; only the products
// with the scales are rounded, and not each weight and activation, so that results may differ from
// the reference kernels' in the last places.
#include <algorithm>
#include <memory>

#include "cpu/kernels/int8_conv.h"
#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

// How a constexpr operator stores integers: their scale and offset, by element or by channel.
struct StoredIntegers {
  const ir::Literal* data = nullptr;
  const ir::Literal* scale = nullptr;
  const ir::Literal* offset = nullptr;  // null: 0
};

const ir::Literal* ConstantInput(const ir::Operation& operation, std::string_view parameter) {
  const ir::Value* value = operation.Input(parameter);
  return value != nullptr && value->is_const() ? value->literal.get() : nullptr;
}

// Whether the literal has one element, or one for each index of the first axis of `data`.
bool IsPerChannel(const ir::Literal& literal, const ir::Shape& data, bool keeps_rank) {
  if (literal.element_count() == 1) return true;
  const ir::Shape& shape = literal.shape();
  if (literal.element_count() != data[0]) return false;
  return keeps_rank ? !shape.empty() && shape[0] == data[0] : shape.size() == 1;
}

// Nullopt where the weight is no integers, or its scales vary within an output channel.
std::optional<StoredIntegers> FindIntegers(const ir::Value* weight) {
  const ir::Operation* producer = weight->producer;
  if (producer == nullptr) return std::nullopt;
  const bool affine = producer->type() == "constexpr_affine_dequantize";
  if (!affine && producer->type() != "constexpr_blockwise_shift_scale") return std::nullopt;
  const std::string_view offset = affine ? "zero_point" : "offset";
  StoredIntegers stored;
  stored.data = ConstantInput(*producer, affine ? "quantized_data" : "data");
  stored.scale = ConstantInput(*producer, "scale");
  stored.offset = ConstantInput(*producer, offset);
  if (stored.data == nullptr || stored.scale == nullptr) return std::nullopt;
  if (stored.offset == nullptr && producer->Input(offset) != nullptr) return std::nullopt;
  const ir::Shape& shape = stored.data->shape();
  if (shape.size() < 2 || !IsPerChannel(*stored.scale, shape, !affine)) return std::nullopt;
  if (stored.offset != nullptr && !IsPerChannel(*stored.offset, shape, !affine)) {
    return std::nullopt;
  }
  if (affine && (stored.scale->element_count() > 1 ||
                 (stored.offset != nullptr && stored.offset->element_count() > 1))) {
    const ir::Literal* axis = ConstantInput(*producer, "axis");
    const auto index = axis != nullptr ? axis->AsInt() : std::nullopt;
    if (!index || (*index != 0 && *index != -std::ssize(shape))) return std::nullopt;
  }
  return stored;
}

// Nullopt where an integer less its offset needs more than 8 bits.
std::optional<Int8Weights> ReadIntegers(const StoredIntegers& stored) {
  const auto data = stored.data->AsInts();
  const auto scale = stored.scale->AsFloats();
  std::vector<int64_t> offset = {0};
  if (stored.offset != nullptr) {
    auto given = stored.offset->AsInts();
    if (!given) return std::nullopt;
    offset = std::move(*given);
  }
  if (!data || !scale) return std::nullopt;
  const auto channels = static_cast<size_t>(stored.data->shape()[0]);
  Int8Weights weights;
  weights.integers.resize(data->size());
  weights.scale.resize(channels);
  const size_t each = data->size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    weights.scale[c] = (*scale)[scale->size() == 1 ? 0 : c];
    const int64_t shift = offset[offset.size() == 1 ? 0 : c];
    for (size_t i = c * each; i < (c + 1) * each; ++i) {
      const int64_t value = (*data)[i] - shift;
      if (value < -128 || value > 127) return std::nullopt;
      weights.integers[i] = static_cast<int8_t>(value);
    }
  }
  return weights;
}

// Whether ReadIntegers gives something, without reading where the types alone say so.
bool FitsInt8(const StoredIntegers& stored) {
  const DType dtype = stored.data->dtype();
  if (IsSubByte(dtype) || (dtype == DType::kInt8 && stored.offset == nullptr)) return true;
  return ReadIntegers(stored).has_value();
}

// Scale and bias of each output channel, with what a batch norm adds to them.
struct ChannelAffine {
  std::vector<float> scale;
  std::vector<float> shift;
};

Result<std::vector<float>> ReadBias(Planner& planner, const ir::Value* bias, int64_t channels) {
  std::vector<float> values(static_cast<size_t>(channels), 0.0f);
  if (bias == nullptr) return values;
  ANEMONE_ASSIGN(const LiteralRef literal, planner.LiteralOf(bias));
  auto floats = literal->AsFloats();
  if (!floats || std::ssize(*floats) != channels) {
    return Unsupported("this kind of bias is not supported");
  }
  return std::move(*floats);
}

// Opens the group of a product whose weights are packed for it when it is emitted.
Group& OpenInt8(Planner& planner, const Node& node, const Integers& x, const ConvShape& shape,
                const StoredIntegers& stored, const ir::Value* bias) {
  Group& group = planner.Open(*node.operation, "int8_product", x.from.layout);
  group.reads = {x.from.buffer};
  group.can_store_integers = true;
  const auto affine = std::make_shared<ChannelAffine>();
  if (x.from.layout == Layout::kChannelsLast && !planner.Rounds(node.types[0])) {
    group.fold_affine = [affine, self = &group](std::vector<float> scale,
                                                std::vector<float> shift) {
      *affine = {std::move(scale), std::move(shift)};
      self->fold_affine = nullptr;
    };
  }
  group.prepare = [=, &planner, &operation = *node.operation]() -> Result<Group::Run> {
    using Shared = std::shared_ptr<const PackedInt8Conv>;
    const auto pack = [&]() -> Result<Shared> {
      ANEMONE_ASSIGN(std::vector<float> shift, ReadBias(planner, bias, shape.out_c));
      auto weights = ReadIntegers(stored);
      if (!weights) return Internal("weights that were 8-bit integers are none");
      Int8Weights scaled = std::move(*weights);
      for (size_t c = 0; c < affine->scale.size(); ++c) {
        scaled.scale[c] *= affine->scale[c];
        shift[c] = shift[c] * affine->scale[c] + affine->shift[c];
      }
      return Shared(std::make_shared<const PackedInt8Conv>(shape, scaled, x.scale, shift,
                                                           StoredInput{x.from.form.bytes, x.zero}));
    };
    const PackedForm form =
        affine->scale.empty() ? PackedForm::kIntegers : PackedForm::kIntegersWithAffine;
    ANEMONE_ASSIGN(const Shared packed, planner.Packed<PackedInt8Conv>(operation, form, pack));
    auto conv = std::make_shared<const PackedInt8Conv>(shape, *packed);
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          conv->Run(x.from.In(frame), out, steps, *frame.pool);
          return {};
        });
  };
  planner.FinishOperation(group);
  return group;
}

}  // namespace

std::optional<Layout> TakesIntegers(const Planner& planner, const ir::Operation& user,
                                    const ir::Value* value) {
  // A maximum is taken of bytes (lower_rows.cc).
  if (user.type() == "max_pool" && HasChannels(planner.TypeOf(value)) && TakesAllBytes()) {
    return Layout::kChannelsLast;
  }
  const bool is_conv = user.type() == "conv";
  if (!is_conv && user.type() != "linear") return std::nullopt;
  const ir::Value* weight = user.Input("weight");
  if (user.Input("x") != value || !planner.IsFixed(weight) || !FindIntegers(weight)) {
    return std::nullopt;
  }
  if (is_conv && !HasChannels(planner.TypeOf(value))) return std::nullopt;
  return is_conv ? Layout::kChannelsLast : Layout::kRowMajor;
}

Result<bool> LowerInt8Conv(Planner& planner, const Node& node, const ConvShape& shape,
                           const ir::Value* x, const ir::Value* weight, const ir::Value* bias) {
  const Integers* integers = planner.IntegersOf(x);
  if (integers == nullptr || integers->from.layout != Layout::kChannelsLast) return false;
  if (!PackedInt8Conv::CanRun(shape) || !planner.IsFixed(weight) || !planner.IsFixed(bias)) {
    return false;
  }
  const auto stored = FindIntegers(weight);
  if (!stored) return false;
  if (!FitsInt8(*stored)) return false;
  OpenInt8(planner, node, *integers, shape, *stored, bias);
  return true;
}

Result<bool> LowerInt8Product(Planner& planner, const Node& node, const ir::Value* x,
                              const ir::Value* weight, const ir::Value* bias) {
  const Integers* integers = planner.IntegersOf(x);
  if (integers == nullptr || integers->from.layout != Layout::kRowMajor) return false;
  if (!planner.IsFixed(weight) || !planner.IsFixed(bias)) return false;
  const auto stored = FindIntegers(weight);
  if (!stored || stored->data->shape().size() != 2) return false;
  // Rows of a matrix are the pixels of an image one pixel wide.
  ConvShape shape;
  shape.out_c = stored->data->shape()[0];
  shape.in_c = stored->data->shape()[1];
  shape.in_h = shape.out_h = CountOf(node.types[0]) / shape.out_c;
  if (!PackedInt8Conv::CanRun(shape)) return false;
  if (!FitsInt8(*stored)) return false;
  Group& group = OpenInt8(planner, node, *integers, shape, *stored, bias);
  group.columns = shape.out_c;
  return true;
}

}  // namespace anemone::cpu
