// Shared by the lab's tests: a small classifier with weights above the threshold, and a subject.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "compress/palettization.h"
#include "cpu/cpu_backend.h"
#include "ir/text.h"
#include "lab/variant.h"
#include "support/mil_program.h"

namespace anemone::lab {

inline constexpr const char* kClassifier = R"(
  func main<ios18>(tensor<fp32, [1, 16, 8, 8]> x) {
    w1 = const()[val = tensor<fp32, [32, 16, 3, 3]>(seed 1), name = "w1"];
    a = conv(x = x, weight = w1, pad_type = "same")[name = "first"];
    b = relu(x = a);
    w2 = const()[val = tensor<fp32, [32, 32, 3, 3]>(seed 2), name = "w2"];
    c = conv(x = b, weight = w2, pad_type = "same")[name = "second"];
    d = add(x = c, y = b);
    e = reduce_mean(x = d, axes = [2, 3], keep_dims = false);
    w3 = const()[val = tensor<fp32, [100, 32]>(seed 3), name = "w3"];
    logits = linear(x = e, weight = w3, bias = tensor<fp32, [100]>(seed 4))[name = "head"];
  } -> (logits);)";

// The model measured against itself on seeded inputs; `learned`: with this many other samples
// to learn from.
inline LabSubject SubjectOf(const std::string& text = kClassifier, int64_t count = 4,
                            int64_t learned = 0, uint64_t learned_seed = 1) {
  const auto model = test::ParseModel(text);
  auto samples = Samples::Synthetic(*model, *model->program.main(), count, 0);
  EXPECT_TRUE(samples.ok());
  std::shared_ptr<const Samples> calibration;
  if (learned > 0) {
    auto others = Samples::Synthetic(*model, *model->program.main(), learned, learned_seed);
    EXPECT_TRUE(others.ok());
    calibration = std::make_shared<const Samples>(std::move(others).value());
  }
  auto subject =
      LabSubject::Make(model, model, std::make_shared<const Samples>(std::move(samples).value()),
                       cpu::CpuBackend(), 1, calibration);
  EXPECT_TRUE(subject.ok()) << subject.error().ToString();
  return std::move(subject).value();
}

inline compress::Configuration PaletteOnly(const std::string& name, int nbits) {
  compress::PaletteConfig palette;
  palette.nbits = nbits;
  compress::WeightStep step;
  step.op_name_configs[name] = palette;
  return {.weights = {step}};
}
inline compress::Configuration PaletteAll(int nbits) {
  compress::PaletteConfig palette;
  palette.nbits = nbits;
  compress::WeightStep step;
  step.global_config = palette;
  return {.weights = {step}};
}

}  // namespace anemone::lab
