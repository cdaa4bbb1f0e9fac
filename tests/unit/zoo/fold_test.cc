#include "zoo/fold.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace anemone::zoo {
namespace {

constexpr int64_t kChannels = 4;
constexpr int64_t kSize = 6;

using Picture = std::vector<double>;  // [channels, kSize, kSize]

std::vector<double> Values(size_t count, std::string_view stream, double low = -1,
                           double high = 1) {
  Random random(1, stream);
  std::vector<double> values(count);
  for (double& value : values) value = low + (high - low) * double{random.Uniform()};
  return values;
}

// The definition of a convolution with stride 1 and padding size / 2.
Picture Convolve(const Picture& x, int64_t in_channels, const Kernel& kernel) {
  const int64_t groups = in_channels / kernel.in;
  const int64_t pad = kernel.size / 2;
  Picture y(size_t(kernel.out * kSize * kSize));
  for (int64_t o = 0; o < kernel.out; ++o) {
    for (int64_t r = 0; r < kSize; ++r) {
      for (int64_t c = 0; c < kSize; ++c) {
        double sum = kernel.bias[size_t(o)];
        for (int64_t i = 0; i < kernel.in; ++i) {
          const int64_t channel = o / (kernel.out / groups) * kernel.in + i;
          for (int64_t ky = 0; ky < kernel.size; ++ky) {
            for (int64_t kx = 0; kx < kernel.size; ++kx) {
              const int64_t yy = r + ky - pad;
              const int64_t xx = c + kx - pad;
              if (yy < 0 || yy >= kSize || xx < 0 || xx >= kSize) continue;
              sum +=
                  kernel
                      .weight[size_t(((o * kernel.in + i) * kernel.size + ky) * kernel.size + kx)] *
                  x[size_t((channel * kSize + yy) * kSize + xx)];
            }
          }
        }
        y[size_t((o * kSize + r) * kSize + c)] = sum;
      }
    }
  }
  return y;
}

Picture Normalize(Picture x, const BatchNorm& norm) {
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i / size_t(kSize * kSize);
    x[i] = (x[i] - norm.mean[c]) / std::sqrt(norm.variance[c] + norm.epsilon) * norm.gamma[c] +
           norm.beta[c];
  }
  return x;
}

Kernel RandomKernel(int64_t out, int64_t in, int64_t size, const std::string& name) {
  return {out, in, size, Values(size_t(out * in * size * size), name + "w"),
          Values(size_t(out), name + "b")};
}

BatchNorm RandomNorm(size_t channels, const std::string& name) {
  return {Values(channels, name + "scale"), Values(channels, name + "shift"),
          Values(channels, name + "mean"), Values(channels, name + "variance", 0.1, 3), 1e-3};
}

void ExpectNear(const Picture& a, const Picture& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-12) << i;
}

const Picture kInput = Values(size_t(kChannels * kSize * kSize), "input");

TEST(Fold, BatchNormIntoConvolution) {
  for (const int64_t groups : {int64_t{1}, int64_t{2}, kChannels}) {
    const Kernel kernel = RandomKernel(8, kChannels / groups, 3, "k");
    const BatchNorm norm = RandomNorm(8, "n");
    ExpectNear(Convolve(kInput, kChannels, Fold(kernel, norm)),
               Normalize(Convolve(kInput, kChannels, kernel), norm));
  }
}

TEST(Fold, IdentityChangesNothing) {
  ExpectNear(Convolve(kInput, kChannels, Identity(kChannels, 1, 3)), kInput);
  ExpectNear(Convolve(kInput, kChannels, Identity(kChannels, kChannels, 5)), kInput);
  ExpectNear(Convolve(kInput, kChannels, Identity(kChannels, 2, 1)), kInput);
}

TEST(Fold, EnlargedKernelIsTheSame) {
  const Kernel kernel = RandomKernel(kChannels, kChannels, 3, "k");
  ExpectNear(Convolve(kInput, kChannels, Enlarge(kernel, 7)), Convolve(kInput, kChannels, kernel));
}

// x + gamma * (mixer(x) - norm(x)), branch by branch and as the one convolution of FastViT's token
// mixer.
TEST(Fold, RepMixerIsOneConvolution) {
  const Kernel wide = RandomKernel(kChannels, 1, 3, "wide");
  const Kernel narrow = RandomKernel(kChannels, 1, 1, "narrow");
  const BatchNorm wide_norm = RandomNorm(kChannels, "a");
  const BatchNorm narrow_norm = RandomNorm(kChannels, "b");
  const BatchNorm mixer_norm = RandomNorm(kChannels, "c");
  const BatchNorm norm = RandomNorm(kChannels, "d");
  const std::vector<double> gamma = Values(kChannels, "gamma");

  Picture expected = kInput;
  const Picture a = Normalize(Convolve(kInput, kChannels, wide), wide_norm);
  const Picture b = Normalize(Convolve(kInput, kChannels, narrow), narrow_norm);
  const Picture c = Normalize(kInput, mixer_norm);
  const Picture d = Normalize(kInput, norm);
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] += gamma[i / size_t(kSize * kSize)] * (a[i] + b[i] + c[i] - d[i]);
  }

  Kernel branch = Fold(wide, wide_norm);
  branch = AddScaled(branch, Enlarge(Fold(narrow, narrow_norm), 3), 1.0);
  branch = AddScaled(branch, Fold(Identity(kChannels, 1, 3), mixer_norm), 1.0);
  branch = AddScaled(branch, Fold(Identity(kChannels, 1, 3), norm), -1.0);
  const Kernel folded = AddScaled(Identity(kChannels, 1, 3), ScaleOutputs(branch, gamma), 1.0);
  ExpectNear(Convolve(kInput, kChannels, folded), expected);
}

}  // namespace
}  // namespace anemone::zoo
