#include "zoo/fold.h"

#include <cassert>
#include <utility>

namespace anemone::zoo {

Kernel ScaleOutputs(Kernel kernel, const std::vector<double>& factors) {
  assert(factors.size() == static_cast<size_t>(kernel.out));
  const auto row = static_cast<size_t>(kernel.in * kernel.taps());
  for (size_t o = 0; o < factors.size(); ++o) {
    for (size_t i = 0; i < row; ++i) kernel.weight[o * row + i] *= factors[o];
    kernel.bias[o] *= factors[o];
  }
  return kernel;
}

Kernel Fold(Kernel kernel, const BatchNorm& norm) {
  const ops::ChannelAffine affine = ops::AffineOf(norm);
  kernel = ScaleOutputs(std::move(kernel), affine.scale);
  for (size_t o = 0; o < affine.shift.size(); ++o) kernel.bias[o] += affine.shift[o];
  return kernel;
}

Kernel Identity(int64_t out, int64_t in, int64_t size) {
  Kernel kernel{out, in, size, std::vector<double>(static_cast<size_t>(out * in * size * size)),
                std::vector<double>(static_cast<size_t>(out))};
  const int64_t center = (size / 2) * size + size / 2;
  for (int64_t o = 0; o < out; ++o) {
    kernel.weight[static_cast<size_t>((o * in + o % in) * kernel.taps() + center)] = 1.0;
  }
  return kernel;
}

Kernel Enlarge(const Kernel& kernel, int64_t size) {
  assert(size >= kernel.size && (size - kernel.size) % 2 == 0);
  Kernel larger{kernel.out, kernel.in, size,
                std::vector<double>(static_cast<size_t>(kernel.out * kernel.in * size * size)),
                kernel.bias};
  const int64_t margin = (size - kernel.size) / 2;
  for (int64_t plane = 0; plane < kernel.out * kernel.in; ++plane) {
    for (int64_t y = 0; y < kernel.size; ++y) {
      for (int64_t x = 0; x < kernel.size; ++x) {
        larger.weight[static_cast<size_t>((plane * size + y + margin) * size + x + margin)] =
            kernel.weight[static_cast<size_t>((plane * kernel.size + y) * kernel.size + x)];
      }
    }
  }
  return larger;
}

Kernel AddScaled(Kernel a, const Kernel& b, double factor) {
  assert(a.weight.size() == b.weight.size() && a.bias.size() == b.bias.size());
  for (size_t i = 0; i < a.weight.size(); ++i) a.weight[i] += factor * b.weight[i];
  for (size_t i = 0; i < a.bias.size(); ++i) a.bias[i] += factor * b.bias[i];
  return a;
}

}  // namespace anemone::zoo
