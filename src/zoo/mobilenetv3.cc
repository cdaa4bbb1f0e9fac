// MobileNetV3-Small and -Large, width 1.0: inverted residuals with hard-swish and
// squeeze-and-excite. Files of timm and of torchvision are told apart by the name of the first
// convolution.
#include <array>
#include <span>
#include <string_view>

#include "zoo/block_names.h"
#include "zoo/net.h"

namespace anemone::zoo {
namespace {

struct BlockRow {
  int64_t size;      // of the depthwise kernel
  int64_t expanded;  // channels between the two 1 x 1 convolutions
  int64_t out;
  int64_t squeezed;  // channels inside squeeze-and-excite; 0 when there is none
  Act act;
  int64_t stride;
  std::string_view timm;
  std::string_view torchvision;
};
constexpr std::array<BlockRow, 11> kSmallBlocks{{
    {3, 16, 16, 8, Act::kRelu, 2, "blocks.0.0", "features.1.block"},
    {3, 72, 24, 0, Act::kRelu, 2, "blocks.1.0", "features.2.block"},
    {3, 88, 24, 0, Act::kRelu, 1, "blocks.1.1", "features.3.block"},
    {5, 96, 40, 24, Act::kHardSwish, 2, "blocks.2.0", "features.4.block"},
    {5, 240, 40, 64, Act::kHardSwish, 1, "blocks.2.1", "features.5.block"},
    {5, 240, 40, 64, Act::kHardSwish, 1, "blocks.2.2", "features.6.block"},
    {5, 120, 48, 32, Act::kHardSwish, 1, "blocks.3.0", "features.7.block"},
    {5, 144, 48, 40, Act::kHardSwish, 1, "blocks.3.1", "features.8.block"},
    {5, 288, 96, 72, Act::kHardSwish, 2, "blocks.4.0", "features.9.block"},
    {5, 576, 96, 144, Act::kHardSwish, 1, "blocks.4.1", "features.10.block"},
    {5, 576, 96, 144, Act::kHardSwish, 1, "blocks.4.2", "features.11.block"},
}};
constexpr std::array<BlockRow, 15> kLargeBlocks{{
    {3, 16, 16, 0, Act::kRelu, 1, "blocks.0.0", "features.1.block"},
    {3, 64, 24, 0, Act::kRelu, 2, "blocks.1.0", "features.2.block"},
    {3, 72, 24, 0, Act::kRelu, 1, "blocks.1.1", "features.3.block"},
    {5, 72, 40, 24, Act::kRelu, 2, "blocks.2.0", "features.4.block"},
    {5, 120, 40, 32, Act::kRelu, 1, "blocks.2.1", "features.5.block"},
    {5, 120, 40, 32, Act::kRelu, 1, "blocks.2.2", "features.6.block"},
    {3, 240, 80, 0, Act::kHardSwish, 2, "blocks.3.0", "features.7.block"},
    {3, 200, 80, 0, Act::kHardSwish, 1, "blocks.3.1", "features.8.block"},
    {3, 184, 80, 0, Act::kHardSwish, 1, "blocks.3.2", "features.9.block"},
    {3, 184, 80, 0, Act::kHardSwish, 1, "blocks.3.3", "features.10.block"},
    {3, 480, 112, 120, Act::kHardSwish, 1, "blocks.4.0", "features.11.block"},
    {3, 672, 112, 168, Act::kHardSwish, 1, "blocks.4.1", "features.12.block"},
    {5, 672, 160, 168, Act::kHardSwish, 2, "blocks.5.0", "features.13.block"},
    {5, 960, 160, 240, Act::kHardSwish, 1, "blocks.5.1", "features.14.block"},
    {5, 960, 160, 240, Act::kHardSwish, 1, "blocks.5.2", "features.15.block"},
}};
struct MobileNetV3Variant {
  std::span<const BlockRow> blocks;
  int64_t last_conv;
  int64_t hidden;
  std::string_view timm_last;  // stage of the last convolution
  std::string_view torchvision_last;
};
constexpr MobileNetV3Variant kSmall{kSmallBlocks, 576, 1024, "blocks.5.0", "features.12"};
constexpr MobileNetV3Variant kLarge{kLargeBlocks, 960, 1280, "blocks.6.0", "features.16"};
constexpr int64_t kMobileNetV3Stem = 16;
constexpr double kMobileNetV3ResidualGain = 0.7;
constexpr double kMobileNetV3VarianceExcess = 1.3;

// Without squeeze-and-excite.
constexpr BlockNames kTorchvisionPlain{{"0.0", "0.1"}, {"1.0", "1.1"}, {}, {}, {"2.0", "2.1"}};
constexpr BlockNames kTorchvisionFirstPlain{{}, {"0.0", "0.1"}, {}, {}, {"1.0", "1.1"}};

struct MobileNetV3Naming {
  NamedPair stem;
  NamedPair last_conv;  // inside its stage
  std::string_view hidden;
  bool hidden_is_conv;  // stored as a 1 x 1 convolution
  std::string_view classifier;
  double epsilon;  // of every batch normalization
};
constexpr MobileNetV3Naming kTimm{
    {"conv_stem", "bn1"}, {"conv", "bn1"}, "conv_head", true, "classifier", 1e-5};
constexpr MobileNetV3Naming kTorchvision{
    {"features.0.0", "features.0.1"}, {"0", "1"}, "classifier.0", false, "classifier.3", 1e-3};

const BlockNames& NamesOf(const BlockRow& row, bool first, bool torchvision) {
  if (!torchvision) return first ? kTimmFirst : kTimmBlock;
  if (first) return row.squeezed == 0 ? kTorchvisionFirstPlain : kTorchvisionFirst;
  return row.squeezed == 0 ? kTorchvisionPlain : kTorchvisionBlock;
}

Feature Block(Net& net, const Feature& x, const BlockRow& row, const BlockNames& names,
              std::string_view block, double epsilon) {
  const auto full = [&](std::string_view part) { return fmt::format("{}.{}", block, part); };
  const auto conv = [&](const Feature& in, const NamedPair& pair, ConvSpec spec, Act act) {
    spec.conv = full(pair.conv);
    spec.norm = full(pair.norm);
    spec.epsilon = epsilon;
    return net.Conv(in, spec, act);
  };
  Feature y = x;
  if (!names.expand.conv.empty())
    y = conv(y, names.expand, {.conv = {}, .out = row.expanded}, row.act);
  y = conv(y, names.depthwise,
           {.conv = {},
            .out = row.expanded,
            .size = row.size,
            .stride = row.stride,
            .groups = row.expanded},
           row.act);
  if (row.squeezed != 0) {
    y = net.SqueezeExcite(y, full(names.reduce), full(names.excite), row.squeezed,
                          Act::kHardSigmoid, full("se"));
  }
  const bool residual = row.stride == 1 && row.out == x.channels;
  y = conv(y, names.project,
           {.conv = {}, .out = row.out, .gain = residual ? kMobileNetV3ResidualGain : 1.0},
           Act::kNone);
  return residual ? net.Add(x, y, Act::kNone, std::string(block)) : y;
}

void BuildMobileNetV3(Net& net, const MobileNetV3Variant& variant) {
  const bool torchvision = net.Has("features.0.0.weight");
  const MobileNetV3Naming& naming = torchvision ? kTorchvision : kTimm;
  const auto conv = [&](const Feature& in, const NamedPair& pair, ConvSpec spec) {
    spec.conv = pair.conv;
    spec.norm = pair.norm;
    spec.epsilon = naming.epsilon;
    return net.Conv(in, spec, Act::kHardSwish);
  };
  net.set_variance_excess(kMobileNetV3VarianceExcess);
  Feature x = net.Image(224);
  x = conv(x, naming.stem, {.conv = {}, .out = kMobileNetV3Stem, .size = 3, .stride = 2});
  for (size_t i = 0; i < variant.blocks.size(); ++i) {
    const BlockRow& row = variant.blocks[i];
    x = Block(net, x, row, NamesOf(row, i == 0, torchvision),
              torchvision ? row.torchvision : row.timm, naming.epsilon);
  }
  const std::string_view last = torchvision ? variant.torchvision_last : variant.timm_last;
  const std::string last_conv = fmt::format("{}.{}", last, naming.last_conv.conv);
  const std::string last_norm = fmt::format("{}.{}", last, naming.last_conv.norm);
  x = conv(x, {last_conv, last_norm}, {.conv = {}, .out = variant.last_conv});
  x = net.GlobalPool(x, "global_pool");
  ir::Shape hidden{variant.hidden, variant.last_conv};
  if (naming.hidden_is_conv) hidden.insert(hidden.end(), {1, 1});
  x = net.Linear(x, std::string(naming.hidden), hidden, 2.0, Act::kHardSwish);
  net.Classify(x, std::string(naming.classifier), {kClasses, variant.hidden});
}

}  // namespace

void BuildMobileNetV3Small(Net& net) { BuildMobileNetV3(net, kSmall); }
void BuildMobileNetV3Large(Net& net) { BuildMobileNetV3(net, kLarge); }

}  // namespace anemone::zoo
