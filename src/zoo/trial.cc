#include "zoo/trial.h"

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "base/thread_pool.h"

namespace anemone::zoo {
namespace {

// Half the width of a uniform distribution of variance 1.
constexpr double kUnitSpread = 1.7320508075688772;
// That many take about a tenth of a millisecond.
constexpr int64_t kGrainProducts = 100'000;

// Of values that fit float32, kept as float64 so that nothing is converted in the loop.
double Dot(const double* a, const double* b, int64_t count) {
  double parts[4] = {};
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (int64_t p = 0; p < 4; ++p) parts[p] += a[k + p] * b[k + p];
  }
  for (; k < count; ++k) parts[0] += a[k] * b[k];
  return (parts[0] + parts[1]) + (parts[2] + parts[3]);
}

// What a window at (top, left) sees of `count` planes from `first` on; zero beyond the border.
void Gather(const Trial& x, int64_t first, int64_t count, int64_t window, int64_t top, int64_t left,
            double* out) {
  for (int64_t c = first; c < first + count; ++c) {
    const float* plane = x.values.data() + c * x.plane();
    for (int64_t dy = 0; dy < window; ++dy) {
      const int64_t row = top + dy;
      for (int64_t dx = 0; dx < window; ++dx) {
        const int64_t column = left + dx;
        const bool inside = row >= 0 && row < x.size && column >= 0 && column < x.size;
        *out++ = inside ? double{plane[row * x.size + column]} : 0.0;
      }
    }
  }
}

}  // namespace

Trial TrialPicture(int64_t channels, int64_t size, uint64_t seed) {
  Trial x{channels, size, {}};
  x.values.resize(static_cast<size_t>(channels * x.plane()));
  Random random(seed, "trial");
  for (float& value : x.values)
    value = static_cast<float>(kUnitSpread * (2.0 * double{random.Uniform()} - 1.0));
  return x;
}

Trial TrialConv(const Trial& x, const Kernel& kernel, int64_t groups, int64_t stride,
                int64_t before, int64_t padding) {
  const int64_t row = kernel.in * kernel.taps();
  std::vector<double> weight = kernel.weight;
  for (double& value : weight) value = double{static_cast<float>(value)};
  Trial y{kernel.out, std::max<int64_t>(1, (x.size + padding - kernel.size) / stride + 1), {}};
  y.values.resize(static_cast<size_t>(y.channels * y.plane()));
  const int64_t per_group = kernel.out / groups;
  const int64_t grain = std::max<int64_t>(1, kGrainProducts / (row * per_group));
  ThreadPool::Shared(0)->ParallelFor(groups * y.plane(), grain, [&](int64_t begin, int64_t end) {
    std::vector<double> seen(static_cast<size_t>(row));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / y.plane();
      const int64_t position = i % y.plane();
      Gather(x, group * kernel.in, kernel.in, kernel.size, position / y.size * stride - before,
             position % y.size * stride - before, seen.data());
      for (int64_t o = group * per_group; o < (group + 1) * per_group; ++o) {
        const double sum = Dot(weight.data() + o * row, seen.data(), row);
        y.values[static_cast<size_t>(o * y.plane() + position)] =
            static_cast<float>(sum + kernel.bias[static_cast<size_t>(o)]);
      }
    }
  });
  return y;
}

Trial TrialActivation(Trial x, Act act) {
  for (float& value : x.values) value = static_cast<float>(Apply(act, value));
  return x;
}

Trial TrialAdd(Trial a, const Trial& b) {
  for (size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

Trial TrialMaxPool(const Trial& x) {
  Trial y{x.channels, (x.size - 1) / 2 + 1, {}};
  for (int64_t c = 0; c < x.channels; ++c) {
    const float* plane = x.values.data() + c * x.plane();
    for (int64_t position = 0; position < y.plane(); ++position) {
      const int64_t top = 2 * (position / y.size) - 1;
      const int64_t left = 2 * (position % y.size) - 1;
      float most = std::numeric_limits<float>::lowest();
      for (int64_t row = std::max<int64_t>(0, top); row < std::min(x.size, top + 3); ++row) {
        for (int64_t column = std::max<int64_t>(0, left); column < std::min(x.size, left + 3);
             ++column) {
          most = std::max(most, plane[row * x.size + column]);
        }
      }
      y.values.push_back(most);
    }
  }
  return y;
}

Trial TrialMean(const Trial& x) {
  Trial y{x.channels, 1, {}};
  for (int64_t c = 0; c < x.channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < x.plane(); ++i)
      sum += double{x.values[static_cast<size_t>(c * x.plane() + i)]};
    y.values.push_back(static_cast<float>(sum / static_cast<double>(x.plane())));
  }
  return y;
}

Trial TrialScale(Trial x, const Trial& factors) {
  for (size_t i = 0; i < x.values.size(); ++i)
    x.values[i] *= factors.values[i / static_cast<size_t>(x.plane())];
  return x;
}

double MeanSquare(const Trial& x) {
  double sum = 0;
  for (const float value : x.values) sum += double{value} * double{value};
  return sum / static_cast<double>(x.values.size());
}

}  // namespace anemone::zoo
