// FastViT without attention (T8, T12, S12): a convolutional stem, four stages of RepMixer blocks,
// and a squeeze-and-excite head. Trained with parallel branches, which are folded here into one
// convolution each; files that were folded elsewhere (timm's reparameterized form) are read as they
// are, block by block.
#include <array>

#include "zoo/net.h"

namespace anemone::zoo {
namespace {

struct FastVitStage {
  int blocks;
  int64_t channels;
};
struct FastVitVariant {
  std::array<FastVitStage, 4> stages;
  int64_t mlp_ratio;
};
constexpr FastVitVariant kT8{{{{2, 48}, {2, 96}, {4, 192}, {2, 384}}}, 3};
constexpr FastVitVariant kT12{{{{2, 64}, {2, 128}, {6, 256}, {2, 512}}}, 3};
constexpr FastVitVariant kS12{{{{2, 64}, {2, 128}, {6, 256}, {2, 512}}}, 4};
constexpr int64_t kMixerSize = 3;
constexpr int64_t kMlpSize = 7;
constexpr int64_t kPatchSize = 7;
constexpr int64_t kPatchSmallSize = 3;
constexpr int64_t kHeadRatio = 2;     // head channels to those of the last stage
constexpr int64_t kHeadSqueeze = 16;  // head channels to those inside squeeze-and-excite
// Seeded.
constexpr double kLayerScale = 0.5;
constexpr double kFastVitVarianceExcess = 1.15;

// The folded form that timm writes: one convolution with a bias in place of the branches.
bool IsFolded(const Net& net, const std::string& name) {
  return net.Has(name + ".reparam_conv.weight");
}
Kernel ReadFolded(Net& net, const Feature& x, const std::string& name, ConvSpec spec) {
  spec.conv = name + ".reparam_conv";
  return net.ReadConv(x, spec);
}

// MobileOne: a k x k branch, a 1 x 1 branch (when k > 1), and, when the shape does not change, an
// identity branch, each with its own batch normalization, added.
Kernel ReadMobileOne(Net& net, const Feature& x, const std::string& name, ConvSpec spec) {
  if (IsFolded(net, name)) return ReadFolded(net, x, name, spec);
  const bool has_scale = spec.size > 1;
  const bool has_identity = spec.out == x.channels && spec.stride == 1;
  // Seeded: gains that give the branches unit variance together.
  constexpr std::array<double, 3> kGains{1.0, 0.7, 0.55};
  const double gain = kGains[size_t{has_scale} + size_t{has_identity}];
  spec.gain = gain;
  spec.conv = name + ".conv_kxk.0.conv";
  spec.norm = name + ".conv_kxk.0.bn";
  Kernel kernel = net.ReadConv(x, spec);
  if (has_scale) {
    ConvSpec scale = spec;
    scale.conv = name + ".conv_scale.conv";
    scale.norm = name + ".conv_scale.bn";
    scale.size = 1;
    kernel = AddScaled(std::move(kernel), Enlarge(net.ReadConv(x, scale), spec.size), 1.0);
  }
  if (has_identity) {
    const Kernel identity = net.ReadNorm(x, name + ".identity", spec.size, spec.groups, gain);
    kernel = AddScaled(std::move(kernel), identity, 1.0);
  }
  return kernel;
}

Feature MobileOne(Net& net, const Feature& x, const std::string& name, const ConvSpec& spec,
                  Act act) {
  return net.Conv(x, ReadMobileOne(net, x, name, spec), spec.stride, spec.groups, act, name);
}

// Large-kernel convolution: 7 x 7 and 3 x 3 branches, added.
Feature LargeKernel(Net& net, const Feature& x, const std::string& name, int64_t out) {
  ConvSpec spec{.conv = name + ".large_conv.conv",
                .norm = name + ".large_conv.bn",
                .out = out,
                .size = kPatchSize,
                .stride = 2,
                .groups = x.channels,
                .gain = 0.7};
  Kernel kernel;
  if (IsFolded(net, name)) {
    spec.norm.clear();
    kernel = ReadFolded(net, x, name, spec);
  } else {
    kernel = net.ReadConv(x, spec);
    ConvSpec small = spec;
    small.conv = name + ".small_conv.conv";
    small.norm = name + ".small_conv.bn";
    small.size = kPatchSmallSize;
    kernel = AddScaled(std::move(kernel), Enlarge(net.ReadConv(x, small), kPatchSize), 1.0);
  }
  return net.Conv(x, kernel, spec.stride, spec.groups, Act::kNone, name);
}

// RepMixer: x + scale * (mixer(x) - norm(x)), all of it linear, so one depthwise convolution.
Feature RepMixer(Net& net, const Feature& x, const std::string& name) {
  const ConvSpec spec{.conv = {}, .out = x.channels, .size = kMixerSize, .groups = x.channels};
  Kernel kernel;
  if (IsFolded(net, name)) {
    kernel = ReadFolded(net, x, name, spec);
  } else {
    const Kernel norm =
        net.ReadNorm(x, name + ".norm.identity", kMixerSize, x.channels, /*gain=*/1.0);
    Kernel branch = ReadMobileOne(net, x, name + ".mixer", spec);
    branch = AddScaled(std::move(branch), norm, -1.0);
    branch = ScaleOutputs(std::move(branch), net.ReadScale(name + ".layer_scale.gamma",
                                                           {x.channels, 1, 1}, kLayerScale));
    kernel = AddScaled(Identity(x.channels, 1, kMixerSize), branch, 1.0);
  }
  return net.Conv(x, kernel, 1, x.channels, Act::kNone, name);
}

// x + scale * mlp(x); the mlp is a 7 x 7 depthwise convolution and two 1 x 1 ones. The scale goes
// into the last.
Feature ConvMlp(Net& net, const Feature& x, const std::string& name, int64_t ratio) {
  const std::string mlp = name + ".mlp";
  Feature y = net.Conv(x,
                       {.conv = mlp + ".conv.conv",
                        .norm = mlp + ".conv.bn",
                        .out = x.channels,
                        .size = kMlpSize,
                        .groups = x.channels},
                       Act::kNone);
  y = net.Conv(y, {.conv = mlp + ".fc1", .out = x.channels * ratio}, Act::kGelu);
  Kernel last = net.ReadConv(y, {.conv = mlp + ".fc2", .out = x.channels});
  last = ScaleOutputs(std::move(last),
                      net.ReadScale(name + ".layer_scale.gamma", {x.channels, 1, 1}, kLayerScale));
  y = net.Conv(y, last, 1, 1, Act::kNone, mlp + ".fc2");
  return net.Add(x, y, Act::kNone, name);
}

void BuildFastVit(Net& net, const FastVitVariant& variant) {
  const auto& stages = variant.stages;
  net.set_variance_excess(kFastVitVarianceExcess);
  Feature x = net.Image(256);
  const int64_t stem = stages[0].channels;
  x = MobileOne(net, x, "stem.0", {.conv = {}, .out = stem, .size = 3, .stride = 2}, Act::kGelu);
  x = MobileOne(net, x, "stem.1", {.conv = {}, .out = stem, .size = 3, .stride = 2, .groups = stem},
                Act::kGelu);
  x = MobileOne(net, x, "stem.2", {.conv = {}, .out = stem}, Act::kGelu);
  for (size_t s = 0; s < stages.size(); ++s) {
    const std::string stage = fmt::format("stages.{}", s);
    const int64_t channels = stages[s].channels;
    if (s > 0) {
      x = LargeKernel(net, x, stage + ".downsample.proj.0", channels);
      x = MobileOne(net, x, stage + ".downsample.proj.1", {.conv = {}, .out = channels},
                    Act::kGelu);
    }
    for (int block = 0; block < stages[s].blocks; ++block) {
      const std::string name = fmt::format("{}.blocks.{}", stage, block);
      x = RepMixer(net, x, name + ".token_mixer");
      x = ConvMlp(net, x, name, variant.mlp_ratio);
    }
  }
  const int64_t head = x.channels * kHeadRatio;
  x = MobileOne(net, x, "final_conv", {.conv = {}, .out = head, .size = 3, .groups = x.channels},
                Act::kNone);
  x = net.SqueezeExcite(x, "final_conv.se.fc1", "final_conv.se.fc2", head / kHeadSqueeze,
                        Act::kSigmoid, "final_conv.se");
  x = net.Activation(x, Act::kGelu, "final_conv");
  x = net.GlobalPool(x, "head.global_pool");
  net.Classify(x, "head.fc", {kClasses, head});
}

}  // namespace

void BuildFastVitT8(Net& net) { BuildFastVit(net, kT8); }
void BuildFastVitT12(Net& net) { BuildFastVit(net, kT12); }
void BuildFastVitS12(Net& net) { BuildFastVit(net, kS12); }

}  // namespace anemone::zoo
