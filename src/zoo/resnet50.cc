// ResNet-50 v1.5: the stride of a stage's first block sits on its 3 x 3 convolution (v1 had it on
// the first 1 x 1). timm and torchvision use the same tensor names.
#include <array>

#include "zoo/net.h"

namespace anemone::zoo {
namespace {

struct Stage {
  int blocks;
  int64_t width;   // of the 3 x 3 convolutions; blocks put out four times as many channels
  int64_t stride;  // of the first block
};
constexpr std::array<Stage, 4> kStages{{{3, 64, 1}, {4, 128, 2}, {6, 256, 2}, {3, 512, 2}}};
constexpr int64_t kExpansion = 4;
constexpr int64_t kClasses = 1000;
// Seeded: the residual branch is much weaker than what it is added to, as where the last scale of a
// branch starts at zero (Goyal et al., arXiv 1706.02677). Chosen after the demo's fp16 variant had
// missed its limits at 0.5: sixteen strong branches pile up and amplify rounding.
constexpr double kResidualGain = 0.2;
constexpr double kLogitGain = 4.0;
constexpr double kVarianceExcess = 1.05;

Feature Block(Net& net, const Feature& x, const std::string& name, int64_t width, int64_t stride,
              bool project) {
  Feature y =
      net.Conv(x, {.conv = name + ".conv1", .norm = name + ".bn1", .out = width}, Act::kRelu);
  y = net.Conv(
      y,
      {.conv = name + ".conv2", .norm = name + ".bn2", .out = width, .size = 3, .stride = stride},
      Act::kRelu);
  y = net.Conv(y,
               {.conv = name + ".conv3",
                .norm = name + ".bn3",
                .out = width * kExpansion,
                .gain = kResidualGain},
               Act::kNone);
  Feature shortcut = x;
  if (project) {
    shortcut = net.Conv(x,
                        {.conv = name + ".downsample.0",
                         .norm = name + ".downsample.1",
                         .out = width * kExpansion,
                         .stride = stride},
                        Act::kNone);
  }
  return net.Add(shortcut, y, Act::kRelu, name);
}

}  // namespace

void BuildResNet50(Net& net) {
  net.set_variance_excess(kVarianceExcess);
  Feature x = net.Image(224);
  x = net.Conv(x, {.conv = "conv1", .norm = "bn1", .out = 64, .size = 7, .stride = 2}, Act::kRelu);
  x = net.MaxPool3x3(x, "maxpool");
  for (size_t s = 0; s < kStages.size(); ++s) {
    for (int block = 0; block < kStages[s].blocks; ++block) {
      const std::string name = fmt::format("layer{}.{}", s + 1, block);
      x = Block(net, x, name, kStages[s].width, block == 0 ? kStages[s].stride : 1, block == 0);
    }
  }
  x = net.GlobalPool(x, "avgpool");
  net.Classify(net.Linear(x, "fc", {kClasses, x.channels}, kLogitGain, Act::kNone));
}

}  // namespace anemone::zoo
