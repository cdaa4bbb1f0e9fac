// See linear_quantization.h.
//
//   before (int8, per tensor, ios16)                after
//     w = const()[val = tensor<fp32, ...>];           w = constexpr_affine_dequantize(
//     y = conv(x = x, weight = w);                            quantized_data = int8 tensor,
//   } -> (y);                                                 zero_point = 0, scale = 0.0125,
//                                                             axis = 0);
//                                                     y = conv(x = x, weight = w);
//                                                   } -> (y);
#include "compress/linear_quantization.h"

#include <algorithm>

#include "compress/adaround.h"
#include "compress/emit.h"
#include "compress/gptq.h"
#include "compress/method.h"

namespace anemone::compress {
namespace {

// Block sizes of a weight for the granularity.
Result<ir::Shape> BlocksOf(const Site& site, const LinearConfig& config) {
  const ir::Shape& shape = site.shape;
  if (site.kind == SiteKind::kTable) return ir::Shape(site.weight.value->type.shape().size(), 0);
  ir::Shape blocks(shape.size(), 0);
  if (config.granularity == Granularity::kPerTensor) return blocks;
  const bool per_block = config.granularity == Granularity::kPerBlock;
  if (per_block && !config.block_sizes.empty()) {
    blocks = config.block_sizes;
  } else {
    const ChannelAxes axes = AxesOf(site.weight);
    if (!axes.output || (per_block && !axes.input))
      return InvalidInput("its users disagree on which dimension holds the channels");
    blocks[static_cast<size_t>(*axes.output)] = 1;
    if (per_block) {
      const auto input = static_cast<size_t>(*axes.input);
      blocks[input] = config.block_size;
      if (shape[input] % config.block_size != 0) {
        return InvalidInput("{} input channels are not a multiple of the block size {}",
                            shape[input], config.block_size);
      }
    }
  }
  return blocks;
}

// Rounds by inputs, or reuses an earlier result.
Status RoundLearned(const LinearConfig& config, const ir::Shape& blocks, const EncodeInput& input,
                    LinearTensor* tensor) {
  const ir::Literal& weight = input.weight;
  // Copies of a model share the bytes of its weights, so their address distinguishes equal names.
  const std::string key =
      fmt::format("{} {} {} {} {} {}", static_cast<int>(config.rounding),
                  static_cast<int>(config.mode), DTypeName(config.dtype), ir::ShapeToString(blocks),
                  input.site.weight.value->name, static_cast<const void*>(weight.bytes().data()));
  if (input.learned != nullptr) {
    if (auto found = input.learned->Find(key)) {
      *tensor = std::move(*found);
      return {};
    }
  }
  ANEMONE_TRY(config.rounding == Rounding::kAdaRound
                  ? RoundByLearning(weight, *input.moments, config.mode, tensor)
                  : RoundByInputs(weight, *input.moments, config.mode, tensor));
  if (input.learned != nullptr) input.learned->Keep(key, *tensor);
  return {};
}

// The flat form, up to ios17: scale and zero point are scalars or run along one axis.
Result<ir::Value*> AffineDequantize(passes::Rewriter& rewriter, const LinearTensor& tensor,
                                    DType dtype, std::string_view name, int64_t* bytes) {
  const auto axis =
      std::ranges::find_if(tensor.scale_shape, [](int64_t size) { return size != 1; });
  const int64_t position = axis == tensor.scale_shape.end() ? 0 : axis - tensor.scale_shape.begin();
  ir::Shape shape;
  if (tensor.scale.size() != 1) shape.push_back(static_cast<int64_t>(tensor.scale.size()));
  ir::Literal scale = ir::Literal::Floats(dtype, tensor.scale, shape);
  ANEMONE_ASSIGN(ir::Literal offset, OffsetLiteral(tensor, shape));
  *bytes += SizeOf(tensor.data) + SizeOf(scale) + SizeOf(offset);
  return rewriter.builder().Op("constexpr_affine_dequantize",
                               {{"quantized_data", tensor.data},
                                {"zero_point", std::move(offset)},
                                {"scale", std::move(scale)},
                                {"axis", ir::Literal::Int32(static_cast<int32_t>(position))}},
                               name);
}

class QuantizedWeight final : public CompressedWeight {
 public:
  explicit QuantizedWeight(LinearTensor tensor) : tensor_(std::move(tensor)) {
    max_error = tensor_.max_error;
    rms_error = tensor_.rms_error;
  }

  Result<ir::Literal> Restore(DType dtype) const override {
    return DequantizeLinear(tensor_, dtype);
  }

  Status Emit(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const override {
    *bytes = 0;
    const std::string& name = site.weight.value->name;
    const DType dtype = site.weight.value->type.dtype();
    if (site.kind == SiteKind::kSparseValues) {
      ANEMONE_ASSIGN(const auto mask, MaskOf(*site.child, "mask"));
      ANEMONE_ASSIGN(ir::Literal values, Gather(tensor_.data, mask));
      *bytes += SizeOf(values) + static_cast<int64_t>(mask.size() / 8);
      ANEMONE_ASSIGN(auto args, ShiftScale(tensor_, dtype, bytes));
      args.push_back({"data_mask", site.child->Input("mask")});
      args.push_back({"nonzero_data", std::move(values)});
      ANEMONE_ASSIGN(
          ir::Operation * op,
          rewriter.builder().Add("constexpr_sparse_blockwise_shift_scale", std::move(args), name));
      return TakeSparsePlace(rewriter, *site.child, op->output(1), op->output(0));
    }
    const bool flat = rewriter.opset() < ir::Opset::kIOS18;
    ANEMONE_ASSIGN(ir::Value * value,
                   flat ? AffineDequantize(rewriter, tensor_, dtype, name, bytes)
                        : BlockwiseShiftScale(rewriter, tensor_, dtype, name, bytes));
    return TakePlace(rewriter, site, value);
  }

 private:
  LinearTensor tensor_;
};

Choice RoundingChoice(Rounding* rounding) {
  return ChoiceOf(rounding, {{"nearest", Rounding::kNearest},
                             {"gptq", Rounding::kGptq},
                             {"adaround", Rounding::kAdaRound}});
}

class LinearMethod final : public Method {
 public:
  std::string_view config_type() const override { return "OpLinearQuantizerConfig"; }
  OpConfig Default() const override { return LinearConfig(); }

  ConfigTable FieldsOf(OpConfig& config) const override {
    LinearConfig& linear = *config.As<LinearConfig>();
    return {
        {.key = "mode", .field = LinearModeChoice(&linear.mode)},
        {.key = "dtype", .field = QuantizedDTypeChoice(&linear.dtype)},
        {.key = "granularity", .field = GranularityChoice(&linear.granularity)},
        {.key = "block_size", .field = SizeOrSizes{&linear.block_size, &linear.block_sizes}},
        {.key = "weight_threshold", .field = &linear.weight_threshold},
        {.key = "rounding", .field = RoundingChoice(&linear.rounding), .unless_default = true},
    };
  }

  Status Check(const OpConfig& config) const override {
    const LinearConfig& linear = *config.As<LinearConfig>();
    const DType dtype = linear.dtype;
    if (dtype != DType::kInt8 && dtype != DType::kUInt8 && dtype != DType::kInt4 &&
        dtype != DType::kUInt4) {
      return Usage("{} is not a dtype of linear quantization", DTypeName(dtype))
          .Advise("choose int8, uint8, int4 or uint4");
    }
    if (linear.granularity == Granularity::kPerGroupedChannel) {
      return Usage("linear quantization has no granularity per_grouped_channel")
          .Advise("choose per_tensor, per_channel or per_block");
    }
    if (linear.block_size < 1)
      return Usage("block_size is {}", linear.block_size).Advise("1 or more elements");
    if (std::ranges::any_of(linear.block_sizes, [](int64_t size) { return size < 0; }))
      return Usage("a block_size is negative");
    return {};
  }

  OpsetNeed NeedOf(const OpConfig& config) const override {
    const LinearConfig& linear = *config.As<LinearConfig>();
    constexpr ir::Opset k18 = ir::Opset::kIOS18;
    if (BitWidth(linear.dtype) < 8) return {k18, "quantization to 4 bits"};
    if (linear.granularity == Granularity::kPerBlock) return {k18, "quantization per block"};
    return {ir::Opset::kIOS16, "quantization of weights"};
  }

  DataNeed DataNeedOf(const OpConfig& config) const override {
    return config.As<LinearConfig>()->rounding == Rounding::kNearest ? DataNeed::kNothing
                                                                     : DataNeed::kProducts;
  }

  // Quantized activations have weights of the symmetric mode.
  Result<std::optional<OpConfig>> FromOptions(const CompressOptions& options) const override {
    const bool asymmetric = options.mode == "linear_asymmetric";
    if (!asymmetric && options.mode != "linear_symmetric" && options.mode != "activations")
      return std::optional<OpConfig>();
    LinearConfig linear;
    linear.mode = asymmetric ? LinearMode::kAsymmetric : LinearMode::kSymmetric;
    linear.dtype = DTypeFromName(options.dtype).value_or(DType::kInvalid);
    Choose(GranularityChoice(&linear.granularity), options.granularity);
    if (options.block_size != 0) linear.block_size = options.block_size;
    linear.weight_threshold = options.weight_threshold.value_or(kDefaultWeightThreshold);
    Choose(RoundingChoice(&linear.rounding), options.rounding);
    return std::optional<OpConfig>(std::move(linear));
  }

  bool Takes(SiteKind kind, bool) const override {
    return kind == SiteKind::kDense || kind == SiteKind::kSparseValues || kind == SiteKind::kTable;
  }

  Status CheckSite(const OpConfig& config, const Site& site) const override {
    const LinearConfig& linear = *config.As<LinearConfig>();
    if (site.kind == SiteKind::kTable && linear.granularity != Granularity::kPerTensor) {
      return Usage("the table of '{}' can only be quantized per tensor, not {}",
                   site.weight.value->name, GranularityName(linear.granularity))
          .Advise("set the granularity per_tensor for this step");
    }
    if (!linear.block_sizes.empty() && linear.block_sizes.size() != site.shape.size()) {
      return Usage("block_size has {} elements for '{}' of rank {}", linear.block_sizes.size(),
                   site.weight.value->name, site.shape.size());
    }
    return {};
  }

  Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                   const EncodeInput& input) const override {
    const LinearConfig& linear = *config.As<LinearConfig>();
    ANEMONE_ASSIGN(const ir::Shape blocks, BlocksOf(input.site, linear));
    // It detects values that are not finite itself, because it visits all of them anyway.
    ANEMONE_ASSIGN(LinearTensor tensor,
                   QuantizeLinear(input.weight, blocks, linear.dtype, linear.mode));
    const bool by_inputs = linear.rounding != Rounding::kNearest && input.moments != nullptr &&
                           !input.moments->products.empty();
    if (by_inputs) ANEMONE_TRY(RoundLearned(linear, blocks, input, &tensor));
    auto quantized = std::make_unique<QuantizedWeight>(std::move(tensor));
    quantized->form =
        fmt::format("{} {}", DTypeName(linear.dtype),
                    GranularityName(input.site.kind == SiteKind::kTable ? Granularity::kPerTensor
                                                                        : linear.granularity));
    if (by_inputs)
      quantized->form += linear.rounding == Rounding::kAdaRound ? " adaround" : " gptq";
    return std::unique_ptr<CompressedWeight>(std::move(quantized));
  }

  std::vector<SearchForm> SearchForms() const override {
    const auto int4 = [](Rounding rounding) {
      return LinearConfig{
          .dtype = DType::kInt4, .granularity = Granularity::kPerBlock, .rounding = rounding};
    };
    // With a scale of 16 bits for each block of 32.
    constexpr double kInt4Bits = 4.5;
    return {{"int8", LinearConfig(), 8},
            {"int4 block 32", int4(Rounding::kNearest), kInt4Bits},
            {"int4 block 32 gptq", int4(Rounding::kGptq), kInt4Bits},
            {"int4 block 32 adaround", int4(Rounding::kAdaRound), kInt4Bits}};
  }
};

}  // namespace

const Method& LinearQuantization() {
  static const LinearMethod method;
  return method;
}

}  // namespace anemone::compress
