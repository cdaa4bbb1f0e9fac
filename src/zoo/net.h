// Net: the layers in which the architectures are written. Reads weights, folds them, appends
// operations to a function, and (for seeded weights) carries the statistics along.
//
//   Feature x = net.Image(224);
//   x = net.Conv(x, {.conv = "conv1", .norm = "bn1", .out = 64, .size = 7, .stride = 2},
//                Act::kRelu);
//
// Ownership: borrows the builder and the weights. Thread rules: one thread. Errors: both record
// them; see their Finish() and status().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "zoo/fold.h"
#include "zoo/stats.h"
#include "zoo/trial.h"
#include "zoo/weights.h"

namespace anemone::zoo {

inline constexpr int64_t kClasses = 1000;  // of ImageNet

// A picture of `channels` planes of size x size, fp32 [1, channels, size, size].
struct Feature {
  ir::Value* value = nullptr;
  int64_t channels = 0;
  int64_t size = 1;
  Stats stats;  // empty unless seeded
  Trial trial;  // the same
};

// A convolution in a file: `conv`.weight [out, in / groups, size, size] and either `conv`.bias or,
// when `norm` is named, the batch normalization that follows it. The padding is size / 2 on all
// sides, or TensorFlow's "SAME", which puts the odd pixel at the end.
struct ConvSpec {
  std::string conv;
  std::string norm = {};
  int64_t out = 0;
  int64_t size = 1;
  int64_t stride = 1;
  int64_t groups = 1;
  double epsilon = 1e-5;
  double gain = 1.0;  // seeded: the standard deviation of the output
  bool same = false;
};

class Net {
 public:
  Net(ir::Builder& builder, Weights& weights) : builder_(&builder), weights_(&weights) {}

  // Seeded: see AfterActivation. Found for each architecture by running it on pictures
  // (tools/oracle/zoo_check.py prints the range of the activations).
  void set_variance_excess(double excess) { variance_excess_ = excess; }

  // The input "image". Seeded: the trial is of that size, or of `trial_size`.
  Feature Image(int64_t size, int64_t trial_size = 0);

  // ---- weights: read or made for the expected input, normalization folded, nothing emitted ----
  Kernel ReadConv(const Feature& x, const ConvSpec& spec);
  // A batch normalization alone, as a convolution of kernel `size` and `groups`.
  Kernel ReadNorm(const Feature& x, const std::string& norm, int64_t size, int64_t groups,
                  double gain);
  // One factor for each channel; `shape` as stored.
  std::vector<double> ReadScale(const std::string& name, const ir::Shape& shape, double center);
  bool Has(const std::string& tensor) const { return weights_->Has(tensor); }

  // ---- layers ----
  Feature Conv(const Feature& x, const Kernel& kernel, int64_t stride, int64_t groups, Act act,
               const std::string& name, bool same = false);
  // ReadConv and Conv.
  Feature Conv(const Feature& x, const ConvSpec& spec, Act act);
  Feature Activation(Feature x, Act act, const std::string& name);
  Feature Add(const Feature& a, const Feature& b, Act act, const std::string& name);
  Feature MaxPool3x3(const Feature& x, const std::string& name);
  // x times gate(expand(inner(reduce(mean of x)))), channel by channel. Seeded: `gate_gain` is the
  // deviation of the gate's input; small, so that the gate neither closes nor opens for good.
  Feature SqueezeExcite(const Feature& x, const std::string& reduce, const std::string& expand,
                        int64_t reduced, Act gate, const std::string& name, Act inner = Act::kRelu,
                        double gate_gain = 0.5);
  // Mean over each plane: [1, channels].
  Feature GlobalPool(const Feature& x, const std::string& name);
  // A fully connected layer on [1, channels]; `shape` as stored ([out, channels] or [out, channels,
  // 1, 1]). Seeded: `gain` is the deviation of the output over its channels.
  Feature Linear(const Feature& x, const std::string& name, const ir::Shape& shape, double gain,
                 Act act);
  // The last layer, as Linear: its output is "logits"; adds "probabilities".
  void Classify(const Feature& x, const std::string& name, const ir::Shape& shape);

 private:
  BatchNorm ReadBatchNorm(const Stats& before, const std::string& norm, int64_t channels,
                          double epsilon, double gain);
  bool seeded() const { return weights_->seeded(); }

  ir::Builder* builder_;
  Weights* weights_;
  double variance_excess_ = 1.0;
};

}  // namespace anemone::zoo
