// conv and conv_transpose with constant weights, of one or two spatial dimensions.
#include <memory>
#include <optional>

#include "cpu/kernels/bf16_conv.h"
#include "cpu/kernels/conv.h"
#include "cpu/lowerings.h"
#include "ir/spatial.h"

namespace anemone::cpu {
namespace {

// Weights and bias, with the scale and shift to fold into them before they are packed.
struct ConvParameters {
  const ir::Value* weight = nullptr;
  const ir::Value* bias = nullptr;  // null: none
  std::vector<float> scale;
  std::vector<float> shift;
};

// The bias and the weights as floats, without a copy where they are stored as floats.
struct PlainParameters {
  LiteralRef literal;  // keeps `weight` alive where it is not copied
  const float* weight = nullptr;
  const float* bias = nullptr;
  std::vector<float> weight_storage;
  std::vector<float> bias_storage;
};

Result<PlainParameters> Materialize(Planner& planner, const ConvParameters& from,
                                    int64_t out_channels) {
  PlainParameters to;
  ANEMONE_ASSIGN(to.literal, planner.LiteralOf(from.weight));
  if (to.literal->dtype() == DType::kFp32 && from.scale.empty()) {
    to.weight = to.literal->As<float>().data();
  } else {
    auto floats = to.literal->AsFloats();
    if (!floats)
      return Unsupported("weights of type {} are not supported", DTypeName(to.literal->dtype()));
    to.weight_storage = std::move(*floats);
    to.weight = to.weight_storage.data();
  }
  if (from.bias != nullptr) {
    ANEMONE_ASSIGN(const LiteralRef bias, planner.LiteralOf(from.bias));
    auto floats = bias->AsFloats();
    if (!floats) return Unsupported("a bias of type {} is not supported", DTypeName(bias->dtype()));
    to.bias_storage = std::move(*floats);
  }
  if (!from.scale.empty()) {
    const size_t each = to.weight_storage.size() / static_cast<size_t>(out_channels);
    to.bias_storage.resize(static_cast<size_t>(out_channels), 0.0f);
    for (size_t c = 0; c < from.scale.size(); ++c) {
      for (size_t i = 0; i < each; ++i) to.weight_storage[c * each + i] *= from.scale[c];
      to.bias_storage[c] = to.bias_storage[c] * from.scale[c] + from.shift[c];
    }
  }
  if (!to.bias_storage.empty()) to.bias = to.bias_storage.data();
  return to;
}

// Sizes along height and width; one-dimensional data has height 1.
Result<ConvShape> ReadShape(const Node& node, const ir::Type& in, const ir::Type& weight,
                            bool transposed) {
  const ir::Type& out = node.types[0];
  ANEMONE_ASSIGN(
      ir::Windows windows,
      ir::ReadWindows(*node.args, {weight.shape().begin() + 2, weight.shape().end()}, {}));
  // The forward convolution runs from `from` to `to`.
  const ir::Shape& from = transposed ? out.shape() : in.shape();
  const ir::Shape& to = transposed ? in.shape() : out.shape();
  ConvShape s;
  s.batch = from[0];
  s.in_c = from[1];
  s.out_c = to[1];
  ANEMONE_ASSIGN(s.groups, node.args->Int("groups"));
  const size_t dims = windows.dims.size();
  for (size_t i = 0; i < dims; ++i) {
    ir::WindowDim& dim = windows.dims[i];
    if (!transposed) ANEMONE_TRY(ir::PlaceWindow(from[i + 2], windows.pad_type, false, &dim));
    const bool height = dims == 2 && i == 0;
    (height ? s.in_h : s.in_w) = from[i + 2];
    (height ? s.out_h : s.out_w) = to[i + 2];
    (height ? s.kernel_h : s.kernel_w) = dim.kernel;
    (height ? s.stride_h : s.stride_w) = dim.stride;
    (height ? s.dilation_h : s.dilation_w) = dim.dilation;
    (height ? s.pad_top : s.pad_left) = dim.pad_before;
  }
  return s;
}

// A convolution of either direction that the fast kernels take.
struct GivenConv {
  const ir::Value* x = nullptr;
  ConvParameters parameters;
  ConvShape shape;
};

// Nullopt where the reference kernel must do it: other types, or weights that are not known.
Result<std::optional<GivenConv>> ReadConv(const Planner& planner, const Node& node,
                                          bool transposed) {
  GivenConv given;
  given.x = node.operation->Input("x");
  const ir::Value* weight = node.operation->Input("weight");
  const ir::Value* bias = node.operation->Input("bias");
  const ir::Type& in = planner.TypeOf(given.x);
  if (!IsFloat32(node.types[0]) || !HasChannels(in) || CountOf(node.types[0]) == 0) {
    return std::optional<GivenConv>();
  }
  if (!planner.IsKnown(weight) || (bias != nullptr && !planner.IsKnown(bias))) {
    return std::optional<GivenConv>();
  }
  given.parameters.weight = weight;
  given.parameters.bias = bias;
  ANEMONE_ASSIGN(given.shape, ReadShape(node, in, planner.TypeOf(weight), transposed));
  return std::optional(std::move(given));
}

PackedForm ConvFormOf(ConvMethod method, bool has_affine) {
  switch (method) {
    case ConvMethod::kWinograd2:
      return has_affine ? PackedForm::kWinograd2WithAffine : PackedForm::kWinograd2;
    case ConvMethod::kWinograd4:
      return has_affine ? PackedForm::kWinograd4WithAffine : PackedForm::kWinograd4;
    default:  // direct sums share their weights
      return has_affine ? PackedForm::kFloatsWithAffine : PackedForm::kFloats;
  }
}

// Packs the weights with `make(PlainParameters)`, or takes them from an earlier plan, and makes the run.
template <typename Conv, typename Make>
Result<Group::Run> PrepareConv(Planner& planner, const ir::Operation& operation, Group* group,
                               const ConvShape& shape, const ConvParameters& parameters,
                               PackedForm form, const Make& make) {
  using Shared = std::shared_ptr<const Conv>;
  const auto pack = [&]() -> Result<Shared> {
    ANEMONE_ASSIGN(const PlainParameters plain, Materialize(planner, parameters, shape.out_c));
    return Shared(make(plain));
  };
  ANEMONE_ASSIGN(const Shared packed, planner.Packed<Conv>(operation, form, pack));
  auto conv = std::make_shared<const Conv>(shape, *packed);
  const int64_t scratch_bytes = conv->ScratchFloats() * int64_t{sizeof(float)};
  const BufferId scratch = scratch_bytes == 0 ? kNoBuffer : planner.NewBuffer(scratch_bytes);
  if (scratch != kNoBuffer) group->scratch = {scratch};
  return Group::Run([=, from = group->reads[0]](Frame& frame, const Destination& out,
                                                std::span<const Step> steps) -> Status {
    float* work = scratch == kNoBuffer ? nullptr : frame.Out(scratch);
    conv->Run(frame.In(from), out, work, steps, *frame.pool);
    return {};
  });
}

Result<bool> LowerConv(Planner& planner, const Node& node) {
  ANEMONE_ASSIGN(const auto given, ReadConv(planner, node, false));
  if (!given) return false;
  const ConvShape shape = given->shape;
  ANEMONE_ASSIGN(const bool taken, LowerInt8Conv(planner, node, shape, given->x,
                                                 given->parameters.weight, given->parameters.bias));
  if (taken) return true;
  ANEMONE_ASSIGN(const BufferId from, planner.Read(given->x, Layout::kChannelsLast));
  const auto parameters = std::make_shared<ConvParameters>(given->parameters);
  const bool bf16 = planner.MultipliesBfloat16() && PackedBf16Conv::CanRun(shape);
  Group& group = planner.Open(*node.operation, bf16 ? "conv_bf16" : "conv", Layout::kChannelsLast);
  group.reads = {from};
  group.can_store_integers = true;
  if (!planner.Rounds(node.types[0])) {
    group.fold_affine = [parameters, self = &group](std::vector<float> scale,
                                                    std::vector<float> shift) {
      parameters->scale = std::move(scale);
      parameters->shift = std::move(shift);
      self->fold_affine = nullptr;
    };
  }
  group.prepare = [=, &planner, &operation = *node.operation,
                   self = &group]() -> Result<Group::Run> {
    const bool affine = !parameters->scale.empty();
    if (bf16) {
      return PrepareConv<PackedBf16Conv>(
          planner, operation, self, shape, *parameters,
          affine ? PackedForm::kBfloat16WithAffine : PackedForm::kBfloat16,
          [&](const PlainParameters& plain) {
            return std::make_shared<const PackedBf16Conv>(shape, plain.weight, plain.bias);
          });
    }
    const ConvMethod method = ChooseFloatConvMethod(shape);
    return PrepareConv<PackedConv>(planner, operation, self, shape, *parameters,
                                   ConvFormOf(method, affine), [&](const PlainParameters& plain) {
                                     return std::make_shared<const PackedConv>(
                                         shape, method, plain.weight, plain.bias, planner.pool());
                                   });
  };
  planner.FinishOperation(group);
  return true;
}

Result<bool> LowerConvTranspose(Planner& planner, const Node& node) {
  ANEMONE_ASSIGN(const std::string pad_type, node.args->String("pad_type"));
  if (pad_type != "valid" && pad_type != "custom") return false;
  ANEMONE_ASSIGN(const auto given, ReadConv(planner, node, true));
  if (!given) return false;
  using Shared = std::shared_ptr<const PackedConvTranspose>;
  const auto pack = [&]() -> Result<Shared> {
    ANEMONE_ASSIGN(const PlainParameters plain,
                   Materialize(planner, given->parameters, given->shape.in_c));
    return Shared(
        std::make_shared<const PackedConvTranspose>(given->shape, plain.weight, plain.bias));
  };
  ANEMONE_ASSIGN(const Shared packed,
                 planner.Packed<PackedConvTranspose>(*node.operation, PackedForm::kFloats, pack));
  auto conv = std::make_shared<const PackedConvTranspose>(given->shape, *packed);
  ANEMONE_ASSIGN(const BufferId from, planner.Read(given->x, Layout::kChannelsLast));
  const BufferId scratch = planner.NewBuffer(conv->ScratchFloats() * int64_t{sizeof(float)});
  Group& group = planner.Open(*node.operation, "conv_transpose", Layout::kChannelsLast);
  group.reads = {from};
  group.scratch = {scratch};
  group.prepare = [=]() -> Result<Group::Run> {
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          conv->Run(frame.In(from), out.floats, frame.Out(scratch), steps, *frame.pool);
          return {};
        });
  };
  planner.FinishOperation(group);
  return true;
}

constexpr LoweringEntry kConvLowerings[] = {{"conv", LowerConv},
                                            {"conv_transpose", LowerConvTranspose}};

}  // namespace

std::span<const LoweringEntry> ConvLowerings() { return kConvLowerings; }

}  // namespace anemone::cpu
