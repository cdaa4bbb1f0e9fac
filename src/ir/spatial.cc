#include "ir/spatial.h"

#include <algorithm>

namespace anemone::ir {
namespace {

// Spatial dimensions of `x`: all but batch and channels.
Result<int64_t> SpatialRank(const OpArgs& args) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank() || x.rank() < 2) {
    return InvalidInput("x of type {} has no spatial dimensions", x.ToString());
  }
  return x.rank() - 2;
}

Result<std::vector<int64_t>> OnePerDim(const OpArgs& args, std::string_view param, size_t rank,
                                       std::string_view label) {
  ANEMONE_ASSIGN(std::vector<int64_t> values, args.Ints(param));
  if (values.size() != rank) {
    return Violates(label, "{} has {} values for {} spatial dimensions", param, values.size(),
                    rank);
  }
  for (int64_t value : values) {
    if (value <= 0) return Violates(label, "{} holds {}, which is not positive", param, value);
  }
  return values;
}

}  // namespace

std::optional<PadType> PadTypeFromName(std::string_view name) {
  if (name == "valid") return PadType::kValid;
  if (name == "same") return PadType::kSame;
  if (name == "same_lower") return PadType::kSameLower;
  if (name == "custom") return PadType::kCustom;
  return std::nullopt;
}

Status PlaceWindow(int64_t input, PadType pad_type, bool ceil_mode, WindowDim* window) {
  int64_t extent;
  if (__builtin_mul_overflow(window->kernel - 1, window->dilation, &extent) ||
      __builtin_add_overflow(extent, int64_t{1}, &extent)) {
    return InvalidInput("a kernel of {} with dilation {} is too large", window->kernel,
                        window->dilation);
  }
  if (pad_type == PadType::kValid) window->pad_before = window->pad_after = 0;
  window->output = kDynamic;
  if (input < 0) return {};

  const int64_t stride = window->stride;
  if (pad_type == PadType::kSame || pad_type == PadType::kSameLower) {
    // As many positions as strides fit into the input, the padding split as evenly as it goes.
    const int64_t positions = input / stride + (input % stride != 0);
    const int64_t last_start = (positions - 1) * stride;
    const int64_t total = std::max<int64_t>(0, extent - (input - last_start));
    const int64_t smaller = total / 2;
    window->pad_before = pad_type == PadType::kSame ? smaller : total - smaller;
    window->pad_after = total - window->pad_before;
  }
  int64_t padded;
  if (__builtin_add_overflow(input, window->pad_before, &padded) ||
      __builtin_add_overflow(padded, window->pad_after, &padded)) {
    return InvalidInput("an input of {} elements with its padding is too large", input);
  }
  const int64_t slack = padded - extent;
  if (slack < 0) {
    return InvalidInput("a kernel spanning {} does not fit an input of {} padded by {} and {}",
                        extent, input, window->pad_before, window->pad_after);
  }
  window->output = slack / stride + 1;
  if (ceil_mode && slack % stride != 0) {
    // One more position, unless it would start in the padding at the far end.
    const int64_t last_start = window->output * stride;
    const bool has_padding = window->pad_before + window->pad_after > 0;
    if (!has_padding || last_start < input + window->pad_before) ++window->output;
  }
  return {};
}

Result<Windows> ReadWindows(const OpArgs& args, const std::vector<int64_t>& kernel,
                            const WindowLabels& labels) {
  const size_t rank = kernel.size();
  Windows windows;
  windows.dims.resize(rank);
  for (size_t i = 0; i < rank; ++i) windows.dims[i].kernel = kernel[i];

  ANEMONE_ASSIGN(const std::vector<int64_t> strides,
                 OnePerDim(args, "strides", rank, labels.strides));
  for (size_t i = 0; i < rank; ++i) windows.dims[i].stride = strides[i];
  if (args.def().FindParam("dilations") != nullptr) {
    ANEMONE_ASSIGN(const std::vector<int64_t> dilations,
                   OnePerDim(args, "dilations", rank, labels.strides));
    for (size_t i = 0; i < rank; ++i) windows.dims[i].dilation = dilations[i];
  }

  ANEMONE_ASSIGN(std::string name, args.String("pad_type"));
  // Core ML reads the names in any case.
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::optional<PadType> pad_type = PadTypeFromName(name);
  if (!pad_type) {
    return Violates(labels.pad_type,
                    "pad_type \"{}\" is not one of valid, same, same_lower, custom", name);
  }
  if (*pad_type == PadType::kSameLower && args.opset() < Opset::kIOS16) {
    return Violates(labels.pad_type, "pad_type same_lower needs the op set ios16 or later");
  }
  windows.pad_type = *pad_type;
  if (*pad_type == PadType::kCustom) {
    ANEMONE_ASSIGN(const std::vector<int64_t> pad, args.Ints("pad"));
    if (pad.size() != 2 * rank) {
      return Violates(labels.pad, "pad has {} values for {} spatial dimensions", pad.size(), rank);
    }
    for (size_t i = 0; i < rank; ++i) {
      windows.dims[i].pad_before = pad[2 * i];
      windows.dims[i].pad_after = pad[2 * i + 1];
      if (pad[2 * i] < 0 || pad[2 * i + 1] < 0) {
        return Violates(labels.pad, "pad of dimension {} is negative: {}, {}", i, pad[2 * i],
                        pad[2 * i + 1]);
      }
    }
  }
  return windows;
}

Result<Literal> OnesForSpatialDims(const OpArgs& args) {
  ANEMONE_ASSIGN(const int64_t rank, SpatialRank(args));
  return Literal::Int32s(std::vector<int64_t>(static_cast<size_t>(rank), 1));
}

Result<Literal> ZeroPadForSpatialDims(const OpArgs& args) {
  ANEMONE_ASSIGN(const int64_t rank, SpatialRank(args));
  return Literal::Int32s(std::vector<int64_t>(static_cast<size_t>(2 * rank), 0));
}

}  // namespace anemone::ir
