// ResNet-18 and -34 (basic blocks), and ResNet-50, -101 and -152 v1.5 (bottlenecks): the stride of
// a stage's first block is on its 3 x 3 convolution (v1 had it on the first 1 x 1). timm and
// torchvision use the same tensor names.
#include <array>

#include "zoo/net.h"

namespace anemone::zoo {
namespace {

struct ResNetStage {
  int64_t width;   // of the 3 x 3 convolutions; bottlenecks put out four times as many channels
  int64_t stride;  // of the first block
};
struct ResNetVariant {
  std::array<int, 4> blocks;
  bool bottleneck;
};
constexpr ResNetVariant k18{{2, 2, 2, 2}, false};
constexpr ResNetVariant k34{{3, 4, 6, 3}, false};
constexpr ResNetVariant k50{{3, 4, 6, 3}, true};
constexpr ResNetVariant k101{{3, 4, 23, 3}, true};
constexpr ResNetVariant k152{{3, 8, 36, 3}, true};
constexpr std::array<ResNetStage, 4> kStages{{{64, 1}, {128, 2}, {256, 2}, {512, 2}}};
constexpr int64_t kExpansion = 4;  // of bottlenecks
// Seeded: the residual branch is much weaker than the value it is added to, as where the last scale
// of a branch starts at zero (Goyal et al., arXiv 1706.02677). At 0.5 the demo's fp16 variant
// missed its limits, because sixteen strong branches accumulate and amplify rounding.
constexpr double kResNetResidualGain = 0.2;
constexpr double kResNetVarianceExcess = 1.05;
// A quarter of the arithmetic; the power of the 2,048 pooled channels hardly depends on the size.
constexpr int64_t kResNetTrial = 112;

// The residual branch.
Feature Basic(Net& net, const Feature& x, const std::string& name, int64_t width, int64_t stride) {
  const Feature y = net.Conv(
      x,
      {.conv = name + ".conv1", .norm = name + ".bn1", .out = width, .size = 3, .stride = stride},
      Act::kRelu);
  return net.Conv(y,
                  {.conv = name + ".conv2",
                   .norm = name + ".bn2",
                   .out = width,
                   .size = 3,
                   .gain = kResNetResidualGain},
                  Act::kNone);
}
Feature Bottleneck(Net& net, const Feature& x, const std::string& name, int64_t width,
                   int64_t stride) {
  Feature y =
      net.Conv(x, {.conv = name + ".conv1", .norm = name + ".bn1", .out = width}, Act::kRelu);
  y = net.Conv(
      y,
      {.conv = name + ".conv2", .norm = name + ".bn2", .out = width, .size = 3, .stride = stride},
      Act::kRelu);
  return net.Conv(y,
                  {.conv = name + ".conv3",
                   .norm = name + ".bn3",
                   .out = width * kExpansion,
                   .gain = kResNetResidualGain},
                  Act::kNone);
}

Feature ResNetBlock(Net& net, const Feature& x, const std::string& name,
                    const ResNetVariant& variant, int64_t width, int64_t stride) {
  const Feature y = variant.bottleneck ? Bottleneck(net, x, name, width, stride)
                                       : Basic(net, x, name, width, stride);
  Feature shortcut = x;
  if (stride != 1 || x.channels != y.channels) {
    shortcut = net.Conv(x,
                        {.conv = name + ".downsample.0",
                         .norm = name + ".downsample.1",
                         .out = y.channels,
                         .stride = stride},
                        Act::kNone);
  }
  return net.Add(shortcut, y, Act::kRelu, name);
}

void BuildResNet(Net& net, const ResNetVariant& variant) {
  net.set_variance_excess(kResNetVarianceExcess);
  Feature x = net.Image(224, kResNetTrial);
  x = net.Conv(x, {.conv = "conv1", .norm = "bn1", .out = 64, .size = 7, .stride = 2}, Act::kRelu);
  x = net.MaxPool3x3(x, "maxpool");
  for (size_t s = 0; s < kStages.size(); ++s) {
    for (int block = 0; block < variant.blocks[s]; ++block) {
      const std::string name = fmt::format("layer{}.{}", s + 1, block);
      x = ResNetBlock(net, x, name, variant, kStages[s].width, block == 0 ? kStages[s].stride : 1);
    }
  }
  x = net.GlobalPool(x, "avgpool");
  net.Classify(x, "fc", {kClasses, x.channels});
}

}  // namespace

void BuildResNet18(Net& net) { BuildResNet(net, k18); }
void BuildResNet34(Net& net) { BuildResNet(net, k34); }
void BuildResNet50(Net& net) { BuildResNet(net, k50); }
void BuildResNet101(Net& net) { BuildResNet(net, k101); }
void BuildResNet152(Net& net) { BuildResNet(net, k152); }

}  // namespace anemone::zoo
