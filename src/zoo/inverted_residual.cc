// Networks of inverted residuals in equal stages: MobileNetV2, EfficientNet and EfficientNet-Lite.
// One table row for each network, one for each stage, and one for each way of naming the tensors:
// timm's, torchvision's, and the efficientnet_pytorch package's. The naming also says how the
// publisher pads and which epsilon their batch normalization has.
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "zoo/block_names.h"
#include "zoo/net.h"

namespace anemone::zoo {
namespace {

struct InvertedStage {
  int64_t expansion;
  int64_t out;
  int blocks;
  int64_t stride;  // of the first block
  int64_t size;    // of the depthwise kernels
};
constexpr std::array<InvertedStage, 7> kMobileNetV2Stages{{{1, 16, 1, 1, 3},
                                                           {6, 24, 2, 2, 3},
                                                           {6, 32, 3, 2, 3},
                                                           {6, 64, 4, 2, 3},
                                                           {6, 96, 3, 1, 3},
                                                           {6, 160, 3, 2, 3},
                                                           {6, 320, 1, 1, 3}}};
constexpr std::array<InvertedStage, 7> kEfficientNetStages{{{1, 16, 1, 1, 3},
                                                            {6, 24, 2, 2, 3},
                                                            {6, 40, 2, 2, 5},
                                                            {6, 80, 3, 2, 3},
                                                            {6, 112, 3, 1, 5},
                                                            {6, 192, 4, 2, 5},
                                                            {6, 320, 1, 1, 3}}};

struct Network {
  std::span<const InvertedStage, 7> stages;
  double width;
  double depth;
  int64_t image;
  Act act;
  bool squeeze;  // squeeze-and-excite, a quarter of the block's input channels
  bool fixed;    // the stem, head and outer stages do not scale (Lite)
};
constexpr Network kMobileNetV2{kMobileNetV2Stages, 1.0, 1.0, 224, Act::kRelu6, false, false};
constexpr Network kEfficientNetB0{kEfficientNetStages, 1.0, 1.0, 224, Act::kSilu, true, false};
constexpr Network kEfficientNetB1{kEfficientNetStages, 1.0, 1.1, 240, Act::kSilu, true, false};
constexpr Network kEfficientNetLite0{kEfficientNetStages, 1.0, 1.0, 224, Act::kRelu6, false, true};
constexpr Network kEfficientNetLite1{kEfficientNetStages, 1.0, 1.1, 240, Act::kRelu6, false, true};
constexpr Network kEfficientNetLite2{kEfficientNetStages, 1.1, 1.2, 260, Act::kRelu6, false, true};

constexpr int64_t kInvertedStem = 32;
constexpr int64_t kHead = 1280;
constexpr double kInvertedResidualGain = 0.5;
// Found by running the seeded networks in PyTorch on noise and on pictures
// (tools/oracle/zoo_check.py --golden).
constexpr double kInvertedVarianceExcess = 1.2;
// SiLU and the gates grow faster than their input, so errors of the formulas would grow from block
// to block, or everything would fade. Outputs well beyond SiLU's bend and gates that hardly move
// keep the network close to linear in scale.
constexpr double kVarianceExcessWithGates = 1.27;
constexpr double kSiluGain = 3.0;
constexpr double kGateGain = 0.1;

enum class Counting : uint8_t { kStageAndBlock, kBlock };

struct Naming {
  std::string_view probe;  // a tensor that only this naming has
  NamedPair stem;
  std::string_view block;  // "blocks.{}.{}" or "_blocks.{}": with stage and block, or block alone
  Counting counting;
  int first;  // number of the first stage or block
  BlockNames plain;
  BlockNames unexpanded;  // in blocks without expansion
  NamedPair head;
  std::string_view classifier;
  bool same;       // TensorFlow's padding
  double epsilon;  // of every batch normalization
};
// {} stands for the number after the last block.
constexpr std::array<Naming, 4> kNamings{{
    {"conv_stem.weight",
     {"conv_stem", "bn1"},
     "blocks.{}.{}",
     Counting::kStageAndBlock,
     0,
     kTimmBlock,
     kTimmFirst,
     {"conv_head", "bn2"},
     "classifier",
     false,
     1e-5},
    {"_conv_stem.weight",
     {"_conv_stem", "_bn0"},
     "_blocks.{}",
     Counting::kBlock,
     0,
     {{"_expand_conv", "_bn0"},
      {"_depthwise_conv", "_bn1"},
      "_se_reduce",
      "_se_expand",
      {"_project_conv", "_bn2"}},
     {{}, {"_depthwise_conv", "_bn1"}, "_se_reduce", "_se_expand", {"_project_conv", "_bn2"}},
     {"_conv_head", "_bn1"},
     "_fc",
     true,
     1e-3},
    {"features.1.0.block.0.0.weight",
     {"features.0.0", "features.0.1"},
     "features.{}.{}.block",
     Counting::kStageAndBlock,
     1,
     kTorchvisionBlock,
     kTorchvisionFirst,
     {"features.{}.0", "features.{}.1"},
     "classifier.1",
     false,
     1e-5},
    {"features.1.conv.0.0.weight",
     {"features.0.0", "features.0.1"},
     "features.{}.conv",
     Counting::kBlock,
     1,
     {{"0.0", "0.1"}, {"1.0", "1.1"}, {}, {}, {"2", "3"}},
     {{}, {"0.0", "0.1"}, {}, {}, {"1", "2"}},
     {"features.{}.0", "features.{}.1"},
     "classifier.1",
     false,
     1e-5},
}};

// Channels scaled by `width`, to the nearest multiple of 8 that is not 10 % less.
int64_t Scaled(int64_t channels, double width) {
  const double wanted = static_cast<double>(channels) * width;
  int64_t rounded = std::max<int64_t>(8, static_cast<int64_t>(wanted + 4) / 8 * 8);
  if (static_cast<double>(rounded) < 0.9 * wanted) rounded += 8;
  return rounded;
}

class Builder {
 public:
  Builder(Net& net, const Network& network) : net_(net), network_(network) {
    for (const Naming& naming : kNamings) {
      if (net.Has(std::string(naming.probe))) naming_ = &naming;
    }
  }

  void Build();

 private:
  Feature Conv(const Feature& x, const std::string& prefix, const NamedPair& pair, ConvSpec spec,
               Act act) {
    const std::string dot = prefix.empty() ? "" : prefix + ".";
    spec.conv = dot + std::string(pair.conv);
    spec.norm = dot + std::string(pair.norm);
    spec.epsilon = naming_->epsilon;
    spec.same = naming_->same;
    if (act == Act::kSilu) spec.gain = kSiluGain;
    return net_.Conv(x, spec, act);
  }
  Feature Block(const Feature& x, const std::string& name, const InvertedStage& stage, int64_t out,
                int64_t stride);

  Net& net_;
  const Network& network_;
  const Naming* naming_ = kNamings.data();
};

Feature Builder::Block(const Feature& x, const std::string& name, const InvertedStage& stage,
                       int64_t out, int64_t stride) {
  const BlockNames& names = stage.expansion == 1 ? naming_->unexpanded : naming_->plain;
  const int64_t expanded = x.channels * stage.expansion;
  Feature y = x;
  if (stage.expansion != 1) {
    y = Conv(y, name, names.expand, {.conv = {}, .out = expanded}, network_.act);
  }
  y = Conv(y, name, names.depthwise,
           {.conv = {}, .out = expanded, .size = stage.size, .stride = stride, .groups = expanded},
           network_.act);
  if (network_.squeeze) {
    y = net_.SqueezeExcite(y, fmt::format("{}.{}", name, names.reduce),
                           fmt::format("{}.{}", name, names.excite), x.channels / 4, Act::kSigmoid,
                           name + ".se", network_.act, kGateGain);
  }
  const bool residual = stride == 1 && out == x.channels;
  y = Conv(y, name, names.project,
           {.conv = {}, .out = out, .gain = residual ? kInvertedResidualGain : 1.0}, Act::kNone);
  return residual ? net_.Add(x, y, Act::kNone, name) : y;
}

void Builder::Build() {
  const Naming& naming = *naming_;
  const bool fixed = network_.fixed;
  net_.set_variance_excess(network_.squeeze ? kVarianceExcessWithGates : kInvertedVarianceExcess);
  Feature x = net_.Image(network_.image);
  const int64_t stem = fixed ? kInvertedStem : Scaled(kInvertedStem, network_.width);
  x = Conv(x, "", naming.stem, {.conv = {}, .out = stem, .size = 3, .stride = 2}, network_.act);
  int number = naming.first;
  for (size_t s = 0; s < network_.stages.size(); ++s) {
    const InvertedStage& stage = network_.stages[s];
    const bool outer = fixed && (s == 0 || s + 1 == network_.stages.size());
    const int blocks =
        outer ? stage.blocks : static_cast<int>(std::ceil(network_.depth * stage.blocks - 1e-9));
    for (int i = 0; i < blocks; ++i) {
      const std::string name = naming.counting == Counting::kStageAndBlock
                                   ? fmt::format(fmt::runtime(naming.block), number, i)
                                   : fmt::format(fmt::runtime(naming.block), number + i);
      x = Block(x, name, stage, Scaled(stage.out, network_.width), i == 0 ? stage.stride : 1);
    }
    number += naming.counting == Counting::kStageAndBlock ? 1 : blocks;
  }
  const std::string head_conv = fmt::format(fmt::runtime(naming.head.conv), number);
  const std::string head_norm = fmt::format(fmt::runtime(naming.head.norm), number);
  const int64_t head = fixed ? kHead : std::max(kHead, Scaled(kHead, network_.width));
  x = Conv(x, "", {head_conv, head_norm}, {.conv = {}, .out = head}, network_.act);
  x = net_.GlobalPool(x, "global_pool");
  net_.Classify(x, std::string(naming.classifier), {kClasses, head});
}

}  // namespace

void BuildMobileNetV2(Net& net) { Builder(net, kMobileNetV2).Build(); }
void BuildEfficientNetB0(Net& net) { Builder(net, kEfficientNetB0).Build(); }
void BuildEfficientNetB1(Net& net) { Builder(net, kEfficientNetB1).Build(); }
void BuildEfficientNetLite0(Net& net) { Builder(net, kEfficientNetLite0).Build(); }
void BuildEfficientNetLite1(Net& net) { Builder(net, kEfficientNetLite1).Build(); }
void BuildEfficientNetLite2(Net& net) { Builder(net, kEfficientNetLite2).Build(); }

}  // namespace anemone::zoo
