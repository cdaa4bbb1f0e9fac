// See palettization.h.
//
//   before (ios18, with a table for each group)      after
//     w = const()[val = tensor<fp32, ...>];            w = constexpr_lut_to_dense(
//     y = conv(x = x, weight = w);                             indices = uint4 tensor,
//   } -> (y);                                                  lut = tensor<fp32, [4, 1, 1, 1, 16, 1]>);
//                                                      y = conv(x = x, weight = w);
//                                                    } -> (y);
#include "compress/palettization.h"

#include <algorithm>
#include <cmath>

#include "compress/emit.h"
#include "compress/method.h"
#include "compress/pack_bits.h"

namespace anemone::compress {
namespace {

DType IndexDType(int nbits) {
  switch (nbits) {
    case 1:
      return DType::kUInt1;
    case 2:
      return DType::kUInt2;
    case 3:
      return DType::kUInt3;
    case 4:
      return DType::kUInt4;
    case 6:
      return DType::kUInt6;
    default:
      return DType::kUInt8;
  }
}

// One scale for each position of all axes but the channel axis.
struct ChannelScales {
  std::vector<float> values;  // empty: there are none
  ir::Shape shape;            // of the weight's rank, 1 along the channel axis
  size_t inner = 1;           // elements behind the channel axis
  size_t channels = 1;

  ChannelScales() = default;
  // The largest magnitude over the channels, as in coremltools; 1 where all are 0.
  ChannelScales(const std::vector<float>& weight, const ir::Shape& of, int axis) : shape(of) {
    shape[static_cast<size_t>(axis)] = 1;
    for (size_t i = static_cast<size_t>(axis) + 1; i < of.size(); ++i)
      inner *= static_cast<size_t>(of[i]);
    channels = static_cast<size_t>(of[static_cast<size_t>(axis)]);
    values.assign(weight.size() / channels, 0);
    for (size_t i = 0; i < weight.size(); ++i) {
      float& scale = values[IndexOf(i)];
      scale = std::max(scale, std::abs(weight[i]));
    }
    for (float& scale : values)
      if (scale == 0) scale = 1;
  }

  bool empty() const { return values.empty(); }
  // The scale of an element of the weight.
  float Of(size_t element) const { return values[IndexOf(element)]; }

 private:
  size_t IndexOf(size_t element) const {
    return element / (inner * channels) * inner + element % inner;
  }
};

class PalettizedWeight final : public CompressedWeight {
 public:
  Result<ir::Literal> Restore(DType dtype) const override {
    ANEMONE_ASSIGN(ir::Literal dense, Depalettize(tensor, dtype));
    if (scales.empty()) return dense;
    std::vector<float> values = *dense.AsFloats();
    for (size_t i = 0; i < values.size(); ++i) values[i] *= scales.Of(i);
    return ir::Literal::Floats(dtype, values, dense.shape());
  }

  Status Emit(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const override {
    *bytes = 0;
    if (rewriter.opset() < ir::Opset::kIOS18) return EmitFlat(rewriter, site, bytes);
    const DType dtype = site.weight.value->type.dtype();
    const std::string& name = site.weight.value->name;
    ir::Builder& builder = rewriter.builder();
    std::vector<ir::ArgInit> args;
    ANEMONE_ASSIGN(ir::ArgInit lut, Table(rewriter, dtype, name + "_lut", bytes));
    args.push_back(std::move(lut));
    const bool vectors = tensor.table_shape.back() > 1;
    if (vectors) {
      args.push_back(
          {"vector_axis", ir::Literal::Int32(static_cast<int32_t>(tensor.channel_axis))});
    }
    const DType index_dtype = IndexDType(tensor.nbits);

    if (site.kind == SiteKind::kSparseValues) {
      ANEMONE_ASSIGN(const auto dense_mask, MaskOf(*site.child, "mask"));
      const std::vector<uint8_t> mask = MaskOfVectors(dense_mask, site.shape);
      std::vector<uint8_t> kept;
      for (size_t i = 0; i < mask.size(); ++i)
        if (mask[i] != 0) kept.push_back(tensor.indices[i]);
      ANEMONE_ASSIGN(
          ir::Literal indices,
          ir::Literal::FromBytes(ir::Type::Tensor(index_dtype, {static_cast<int64_t>(kept.size())}),
                                 PackBits(kept, tensor.nbits)));
      ANEMONE_ASSIGN(ir::Literal mask_literal, MaskLiteral(mask, tensor.index_shape));
      *bytes += SizeOf(indices) + SizeOf(mask_literal);
      args.push_back({"indices_mask", std::move(mask_literal)});
      args.push_back({"indices_nonzero_data", std::move(indices)});
      ANEMONE_ASSIGN(ir::Operation * op,
                     builder.Add("constexpr_lut_to_sparse", std::move(args), name));
      std::optional<ir::Literal> scale = ScaleLiteral(dtype, bytes);
      return TakeSparsePlace(rewriter, *site.child, op->output(1), op->output(0), std::move(scale));
    }

    ANEMONE_ASSIGN(
        ir::Literal indices,
        ir::Literal::FromBytes(ir::Type::Tensor(index_dtype, tensor.index_shape), packed_indices));
    *bytes += SizeOf(indices);
    args.push_back({"indices", std::move(indices)});
    ir::Value* value = builder.Op("constexpr_lut_to_dense", std::move(args), name);
    if (std::optional<ir::Literal> scale = ScaleLiteral(dtype, bytes)) {
      value = builder.Op("constexpr_blockwise_shift_scale",
                         {{"data", value}, {"scale", std::move(*scale)}}, name);
    }
    return TakePlace(rewriter, site, value);
  }

  // The error of the palette with its scales, against the weight itself. `mask`: which entries of a
  // sparse weight are kept; the others stay zero, whatever their index. Empty: all.
  Status Measure(const std::vector<float>& weight, std::span<const uint8_t> mask, DType dtype) {
    ANEMONE_ASSIGN(const ir::Literal plain, Depalettize(tensor, DType::kFp32));
    const auto looked_up = plain.As<float>();
    double squares = 0;
    max_error = 0;
    for (size_t i = 0; i < weight.size(); ++i) {
      float value = looked_up[i];
      if (!scales.empty()) value *= scales.Of(i);
      if (dtype == DType::kFp16) value = HalfToFloat(FloatToHalf(value));
      if (!mask.empty() && mask[i] == 0) value = 0;
      const double error = std::abs(double{weight[i]} - value);
      squares += error * error;
      max_error = std::max(max_error, error);
    }
    rms_error = std::sqrt(squares / static_cast<double>(weight.size()));
    return {};
  }

  PaletteTensor tensor;
  ChannelScales scales;  // multiply the table's values
  // The table as integers; then tensor.table holds the values that they represent.
  std::optional<LinearTensor> integer_table;
  Bytes packed_indices;  // tensor.indices, nbits each

 private:
  // Nullopt without scales.
  std::optional<ir::Literal> ScaleLiteral(DType dtype, int64_t* bytes) const {
    if (scales.empty()) return std::nullopt;
    ir::Literal scale = ir::Literal::Floats(dtype, scales.values, scales.shape);
    *bytes += SizeOf(scale);
    return scale;
  }

  // Up to ios17: one table, and the shape as an argument.
  Status EmitFlat(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const {
    ANEMONE_ASSIGN(ir::Literal indices, BytesLiteral(packed_indices));
    ANEMONE_ASSIGN(ir::Literal shape, ShapeLiteral(site.shape));
    ir::Literal table = ir::Literal::Floats(site.weight.value->type.dtype(), tensor.table,
                                            {static_cast<int64_t>(tensor.table.size())});
    *bytes = SizeOf(indices) + SizeOf(table);
    return TakePlace(rewriter, site,
                     rewriter.builder().Op("constexpr_lut_to_dense",
                                           {{"indices", std::move(indices)},
                                            {"lut", std::move(table)},
                                            {"shape", std::move(shape)}},
                                           site.weight.value->name));
  }

  Result<ir::ArgInit> Table(passes::Rewriter& rewriter, DType dtype, const std::string& name,
                            int64_t* bytes) const {
    ir::ArgInit lut{"lut", ir::Literal()};
    if (integer_table) {
      ANEMONE_ASSIGN(ir::Value * table,
                     BlockwiseShiftScale(rewriter, *integer_table, dtype, name, bytes));
      lut.value = table;
      return lut;
    }
    ir::Literal table;
    if (IsInt(dtype)) {
      const std::vector<int64_t> whole(tensor.table.begin(), tensor.table.end());
      ANEMONE_ASSIGN(table, ir::Literal::FromBytes(ir::Type::Tensor(dtype, tensor.table_shape),
                                                   ir::PackInts(whole, dtype)));
    } else {
      table = ir::Literal::Floats(dtype, tensor.table, tensor.table_shape);
    }
    *bytes += SizeOf(table);
    lut.value = std::move(table);
    return lut;
  }

  // A vector is kept when one of its values is kept.
  std::vector<uint8_t> MaskOfVectors(const std::vector<uint8_t>& dense_mask,
                                     const ir::Shape& shape) const {
    std::vector<uint8_t> mask(tensor.indices.size(), 0);
    const auto dim = static_cast<size_t>(tensor.table_shape.back());
    size_t inner = 1;
    for (size_t i = static_cast<size_t>(tensor.channel_axis) + 1; i < shape.size(); ++i)
      inner *= static_cast<size_t>(shape[i]);
    for (size_t i = 0; i < dense_mask.size(); ++i)
      mask[i / inner / dim * inner + i % inner] |= dense_mask[i];
    return mask;
  }
};

// The axis that the setting names, or that of the operators' output channels.
Result<int> ChannelAxis(const PaletteConfig& config, const Site& site) {
  int axis = 0;
  if (config.channel_axis) {
    axis = *config.channel_axis < 0 ? *config.channel_axis + static_cast<int>(site.shape.size())
                                    : *config.channel_axis;
  } else {
    const ChannelAxes axes = AxesOf(site.weight);
    if (axes.output) {
      axis = *axes.output;
    } else if (config.granularity != Granularity::kPerTensor || config.cluster_dim > 1 ||
               config.enable_per_channel_scale) {
      return InvalidInput("its users disagree on which dimension holds the channels");
    }
  }
  if (axis < 0 || static_cast<size_t>(axis) >= site.shape.size())
    return InvalidInput("the weight has no channel axis {}", axis);
  return axis;
}

// A convolution's kernels see the channels of one group, so vectors stay within a group.
Status CheckVectors(const PaletteConfig& config, const Site& site, int axis) {
  if (config.cluster_dim == 1) return {};
  for (const ir::Use& use : site.weight.uses) {
    const ir::Value* groups = use.operation->Input("groups");
    if (axis != 0 || groups == nullptr || !groups->is_const()) continue;
    const int64_t count = groups->literal->AsInt().value_or(1);
    if (site.shape[0] / std::max<int64_t>(1, count) % config.cluster_dim != 0) {
      return InvalidInput("{} channels in {} groups are not a multiple of the cluster dimension {}",
                          site.shape[0], count, config.cluster_dim);
    }
  }
  return {};
}

// The mean square of the input that each element of the weight multiplies.
std::vector<float> Sensitivity(const InputMoments& moments, const ir::Shape& shape) {
  std::vector<float> result;
  const auto row = static_cast<size_t>(moments.row);
  const int64_t per_group = shape[0] / moments.groups;
  for (int64_t o = 0; o < shape[0]; ++o) {
    const size_t first = static_cast<size_t>(o / per_group) * row;
    for (size_t i = 0; i < row; ++i)
      result.push_back(static_cast<float>(moments.squares[first + i] / moments.count));
  }
  return result;
}

// The weight in scaled form: a palette of its values divided by each position's scale.
Result<PaletteTensor> PalettizeScaled(const EncodeInput& input, const std::vector<float>& values,
                                      const ChannelScales& scales, PaletteParameters parameters) {
  const std::span<const float> importance = parameters.importance;
  std::vector<float> divided(values.size());
  std::vector<float> scaled_importance(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = scales.Of(i);
    divided[i] = values[i] / scale;
    // The scale multiplies an error of the quotient, so it weights it.
    scaled_importance[i] = scale * scale * (importance.empty() ? 1 : importance[i]);
  }
  parameters.importance = scaled_importance;
  return Palettize(ir::Literal::Floats(input.weight.dtype(), divided, input.site.shape),
                   parameters);
}

// Turns the tables into integers, and the floats into the values that those represent.
Status QuantizeTable(DType integers, DType dtype, PalettizedWeight* palette) {
  PaletteTensor& tensor = palette->tensor;
  ANEMONE_ASSIGN(
      palette->integer_table,
      QuantizeLinear(ir::Literal::Floats(dtype, tensor.table, tensor.table_shape),
                     ir::Shape(tensor.table_shape.size(), 0), integers, LinearMode::kSymmetric));
  ANEMONE_ASSIGN(const ir::Literal back, DequantizeLinear(*palette->integer_table, dtype));
  tensor.table = *back.AsFloats();
  return {};
}

Choice ModeChoice(PaletteMode* mode) {
  return ChoiceOf(mode, {{"kmeans", PaletteMode::kKMeans},
                         {"uniform", PaletteMode::kUniform},
                         {"unique", PaletteMode::kUnique}});
}

class PaletteMethod final : public Method {
 public:
  std::string_view config_type() const override { return "OpPalettizerConfig"; }
  OpConfig Default() const override { return PaletteConfig(); }

  ConfigTable FieldsOf(OpConfig& config) const override {
    PaletteConfig& palette = *config.As<PaletteConfig>();
    return {
        {.key = "mode", .field = ModeChoice(&palette.mode)},
        {.key = "nbits", .field = &palette.nbits, .unless_default = true, .null_is_default = true},
        {.key = "granularity", .field = GranularityChoice(&palette.granularity)},
        {.key = "group_size", .field = &palette.group_size},
        {.key = "channel_axis", .field = &palette.channel_axis},
        {.key = "cluster_dim", .field = &palette.cluster_dim},
        {.key = "enable_per_channel_scale", .field = &palette.enable_per_channel_scale},
        // The number of threads does not affect the result.
        {.key = "num_kmeans_workers", .field = Ignored{}},
        {.key = "weight_threshold", .field = &palette.weight_threshold},
        {.key = "lut_dtype",
         .field = QuantizedDTypeChoice(&palette.lut_dtype),
         .unless_default = true,
         .null_is_default = true},
        {.key = "sensitivity", .field = &palette.sensitivity, .unless_default = true},
    };
  }

  Status Check(const OpConfig& config) const override {
    const PaletteConfig& palette = *config.As<PaletteConfig>();
    ANEMONE_TRY(CheckBits(palette));
    if (palette.granularity != Granularity::kPerTensor &&
        palette.granularity != Granularity::kPerGroupedChannel) {
      return Usage("palettization has no granularity {}", GranularityName(palette.granularity))
          .Advise("choose per_tensor or per_grouped_channel");
    }
    if (palette.group_size < 1)
      return Usage("group_size is {}", palette.group_size).Advise("1 or more channels");
    if (palette.cluster_dim < 1)
      return Usage("cluster_dim is {}", palette.cluster_dim).Advise("1 or more values");
    if (palette.cluster_dim > 1 && palette.mode == PaletteMode::kUniform)
      return Usage("cluster_dim is {} in the mode uniform", palette.cluster_dim)
          .Advise("vectors need the mode kmeans or unique");
    if (palette.lut_dtype != DType::kInvalid && palette.lut_dtype != DType::kInt8 &&
        palette.lut_dtype != DType::kUInt8) {
      return Usage("lut_dtype is {}", DTypeName(palette.lut_dtype)).Advise("choose int8 or uint8");
    }
    return {};
  }

  OpsetNeed NeedOf(const OpConfig& config) const override {
    const PaletteConfig& palette = *config.As<PaletteConfig>();
    constexpr ir::Opset k18 = ir::Opset::kIOS18;
    if (palette.nbits == 3) return {k18, "palettization to 3 bits"};
    if (palette.granularity == Granularity::kPerGroupedChannel)
      return {k18, "palettization per grouped channel"};
    if (palette.cluster_dim > 1) return {k18, "palettization with vectors (cluster_dim)"};
    if (palette.enable_per_channel_scale) return {k18, "palettization with per-channel scales"};
    if (palette.lut_dtype != DType::kInvalid) return {k18, "palettization with integer tables"};
    return {ir::Opset::kIOS16, "palettization of weights"};
  }

  DataNeed DataNeedOf(const OpConfig& config) const override {
    return config.As<PaletteConfig>()->sensitivity ? DataNeed::kMoments : DataNeed::kNothing;
  }

  Result<std::optional<OpConfig>> FromOptions(const CompressOptions& options) const override {
    if (options.mode != "palettize") return std::optional<OpConfig>();
    PaletteConfig palette;
    Choose(ModeChoice(&palette.mode), options.palette);
    const bool unique = palette.mode == PaletteMode::kUnique;
    palette.nbits = options.nbits == 0 && !unique ? 4 : options.nbits;
    Choose(GranularityChoice(&palette.granularity), options.granularity);
    palette.group_size = options.group_size;
    palette.cluster_dim = options.cluster_dim;
    palette.enable_per_channel_scale = options.per_channel_scale;
    palette.weight_threshold = options.weight_threshold.value_or(kDefaultWeightThreshold);
    // With inputs at hand, values count as much as their inputs drive them.
    palette.sensitivity = !options.calibration.empty() && palette.mode == PaletteMode::kKMeans;
    palette.lut_dtype = DTypeFromName(options.lut_dtype).value_or(DType::kInvalid);
    return std::optional<OpConfig>(palette);
  }

  bool Takes(SiteKind kind, bool) const override {
    return kind == SiteKind::kDense || kind == SiteKind::kSparseValues ||
           kind == SiteKind::kQuantizedData;
  }

  Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                   const EncodeInput& input) const override {
    const PaletteConfig& palette = *config.As<PaletteConfig>();
    const ir::Literal& weight = input.weight;
    const DType dtype = weight.dtype();
    ANEMONE_TRY(CheckFinite(weight));
    if (BitWidth(dtype) < 8) return InvalidInput("{} values do not need a table", DTypeName(dtype));
    ANEMONE_ASSIGN(const int axis, ChannelAxis(palette, input.site));
    ANEMONE_TRY(CheckVectors(palette, input.site, axis));
    // Entries that are already zero are not looked up, so they do not shape the table.
    std::vector<float> importance(input.mask.begin(), input.mask.end());
    const bool by_inputs = palette.sensitivity && input.moments != nullptr;
    if (by_inputs) importance = Sensitivity(*input.moments, input.site.shape);
    const bool grouped = palette.granularity == Granularity::kPerGroupedChannel;
    const PaletteParameters parameters{.mode = palette.mode,
                                       .nbits = palette.nbits,
                                       .three_bits = input.opset >= ir::Opset::kIOS18,
                                       .channel_axis = axis,
                                       .group_size = grouped ? palette.group_size : 0,
                                       .cluster_dim = palette.cluster_dim,
                                       .importance = importance};
    auto result = std::make_unique<PalettizedWeight>();
    PaletteTensor& tensor = result->tensor;
    const bool scaled = palette.enable_per_channel_scale;
    const bool integers = palette.lut_dtype != DType::kInvalid;
    std::vector<float> values;
    const bool measure = scaled || integers || !input.mask.empty();
    if (measure) values = *weight.AsFloats();
    if (scaled) {
      result->scales = ChannelScales(values, input.site.shape, axis);
      ANEMONE_ASSIGN(tensor, PalettizeScaled(input, values, result->scales, parameters));
    } else {
      ANEMONE_ASSIGN(tensor, Palettize(weight, parameters));
    }
    if (integers) ANEMONE_TRY(QuantizeTable(palette.lut_dtype, dtype, result.get()));
    result->max_error = tensor.max_error;
    result->rms_error = tensor.rms_error;
    if (measure) ANEMONE_TRY(result->Measure(values, input.mask, dtype));
    result->form =
        fmt::format("{}-bit palette {}", tensor.nbits, GranularityName(palette.granularity));
    if (palette.cluster_dim > 1) result->form += fmt::format(" of {}", palette.cluster_dim);
    if (scaled) result->form += " scaled";
    if (integers) result->form += fmt::format(" {} table", DTypeName(palette.lut_dtype));
    if (by_inputs) result->form += " by sensitivity";
    // Packed here, where all cores work, not later when it is emitted.
    result->packed_indices = PackBits(tensor.indices, tensor.nbits);
    return std::unique_ptr<CompressedWeight>(std::move(result));
  }

  std::vector<SearchForm> SearchForms() const override {
    std::vector<SearchForm> forms;
    // Groups of 0 channels: one table. `bits`: including the tables of the groups, approximately.
    const auto add = [&](int nbits, int64_t group_size, double bits, bool by_inputs_too = true) {
      PaletteConfig config{.nbits = nbits};
      std::string name = fmt::format("palette {}", nbits);
      if (group_size > 0) {
        config.granularity = Granularity::kPerGroupedChannel;
        config.group_size = group_size;
        name += fmt::format(" group {}", group_size);
      }
      forms.push_back({name, config, bits});
      if (!by_inputs_too) return;
      config.sensitivity = true;
      forms.push_back({name + " by inputs", config, bits});
    };
    add(8, 0, 8, false);
    add(6, 0, 6);
    add(4, 8, 4.2);
    add(4, 32, 4.1, false);
    add(4, 0, 4);
    add(3, 8, 3.1);
    add(3, 0, 3, false);
    add(2, 4, 2.1);
    add(2, 0, 2);
    add(1, 0, 1, false);
    return forms;
  }

 private:
  static Status CheckBits(const PaletteConfig& config) {
    constexpr int kBits[] = {1, 2, 3, 4, 6, 8};
    if (config.mode == PaletteMode::kUnique) {
      if (config.nbits == 0) return {};
      return Usage("nbits is given for the mode unique").Advise("leave it out: it follows");
    }
    if (config.nbits == 0) return Usage("nbits is missing").Advise("choose 1, 2, 3, 4, 6 or 8");
    if (std::ranges::find(kBits, config.nbits) != std::end(kBits)) return {};
    Error error = Usage("Core ML has no palettes of {} bits", config.nbits);
    if (config.nbits == 5) return std::move(error).Advise("choose 4 for size or 6 for accuracy");
    if (config.nbits == 7) return std::move(error).Advise("choose 6 for size or 8 for accuracy");
    return std::move(error).Advise("choose 1, 2, 3, 4, 6 or 8");
  }
};

}  // namespace

const Method& Palettization() {
  static const PaletteMethod method;
  return method;
}

}  // namespace anemone::compress
