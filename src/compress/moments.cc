#include "compress/moments.h"

#include <algorithm>
#include <cmath>

#include "base/simd_targets.h"
#include "ir/spatial.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compress/moments.cc"
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace anemone::compress {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Multiplies, then adds: each element gets the same bits at any width of a register.
void AddScaledVectors(float a, const float* x, float* y, size_t n) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, a);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto product = hn::Mul(factor, hn::LoadU(d, x + i));
    hn::StoreU(hn::Add(hn::LoadU(d, y + i), product), d, y + i);
  }
  for (; i < n; ++i) y[i] += a * x[i];
}

// Columns [j, j + 2 vectors) of kRows rows at a time; every element is the sum over i in order, so
// the bits are the same whatever the width.
constexpr size_t kRows = 6;

template <size_t kCount, class D>
void MultiplyTile(D d, const float* rows, const float* b, size_t n, size_t j, float* out) {
  const size_t lanes = hn::Lanes(d);
  decltype(hn::Zero(d)) left[kCount];
  decltype(hn::Zero(d)) right[kCount];
  for (size_t r = 0; r < kCount; ++r) left[r] = right[r] = hn::Zero(d);
  for (size_t i = 0; i < n; ++i) {
    const auto b0 = hn::LoadU(d, b + i * n + j);
    const auto b1 = hn::LoadU(d, b + i * n + j + lanes);
    for (size_t r = 0; r < kCount; ++r) {
      const auto a = hn::Set(d, rows[r * n + i]);
      left[r] = hn::Add(left[r], hn::Mul(a, b0));
      right[r] = hn::Add(right[r], hn::Mul(a, b1));
    }
  }
  for (size_t r = 0; r < kCount; ++r) {
    hn::StoreU(left[r], d, out + r * n + j);
    hn::StoreU(right[r], d, out + r * n + j + lanes);
  }
}

void MultiplyRowVectors(const float* rows, size_t count, const float* b, size_t n, float* out) {
  const hn::CappedTag<float, 16> d;
  const size_t tile = 2 * hn::Lanes(d);
  size_t j = 0;
  for (; j + tile <= n; j += tile) {
    size_t r = 0;
    for (; r + kRows <= count; r += kRows)
      MultiplyTile<kRows>(d, rows + r * n, b, n, j, out + r * n);
    for (; r < count; ++r) MultiplyTile<1>(d, rows + r * n, b, n, j, out + r * n);
  }
  if (j == n) return;
  for (size_t r = 0; r < count; ++r) {
    for (size_t k = j; k < n; ++k) out[r * n + k] = 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = j; k < n; ++k) out[r * n + k] += rows[r * n + i] * b[i * n + k];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace anemone::compress
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace anemone::compress {

HWY_EXPORT(AddScaledVectors);
HWY_EXPORT(MultiplyRowVectors);

void AddScaled(float a, std::span<const float> x, std::span<float> y) {
  HWY_DYNAMIC_DISPATCH(AddScaledVectors)(a, x.data(), y.data(), x.size());
}

void MultiplyRows(std::span<const float> rows, std::span<const float> b, size_t n,
                  std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(MultiplyRowVectors)(rows.data(), rows.size() / n, b.data(), n, out.data());
}

void AddProducts(std::span<const float> x, size_t n, std::span<float> sum) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t row = 0; row < x.size(); row += n) {
      const float value = x[row + i];
      if (value != 0) AddScaled(value, x.subspan(row + i, n - i), sum.subspan(i * n + i, n - i));
    }
  }
}

namespace {

constexpr int64_t kPositions = 64;
constexpr int64_t kMaxProductBytes = int64_t{1} << 30;

// One operator whose weight is examined.
struct Consumer {
  std::string weight;
  const ir::Operation* op = nullptr;
  ir::Shape weight_shape;
  bool conv = false;
  std::vector<ir::WindowDim> dims;
  ir::PadType pad_type = ir::PadType::kValid;
  int64_t groups = 1;
};

std::vector<int64_t> IntsOf(const ir::Operation& op, std::string_view name, size_t count,
                            int64_t fallback) {
  const ir::Value* value = op.Input(name);
  if (value != nullptr && value->is_const()) {
    auto ints = value->literal->AsInts();
    if (ints && ints->size() == count) return *ints;
  }
  return std::vector<int64_t>(count, fallback);
}

Consumer MakeConsumer(const ir::Operation& op, const ir::Value& weight) {
  Consumer consumer;
  consumer.weight = weight.name;
  consumer.op = &op;
  consumer.weight_shape = weight.type.shape();
  consumer.conv = op.type() == "conv";
  if (!consumer.conv) return consumer;
  const size_t spatial = consumer.weight_shape.size() - 2;
  const auto strides = IntsOf(op, "strides", spatial, 1);
  const auto dilations = IntsOf(op, "dilations", spatial, 1);
  const auto pads = IntsOf(op, "pad", 2 * spatial, 0);
  for (size_t i = 0; i < spatial; ++i) {
    consumer.dims.push_back({.kernel = consumer.weight_shape[i + 2],
                             .stride = strides[i],
                             .dilation = dilations[i],
                             .pad_before = pads[2 * i],
                             .pad_after = pads[2 * i + 1]});
  }
  const ir::Value* pad_type = op.Input("pad_type");
  if (pad_type != nullptr && pad_type->is_const())
    consumer.pad_type = ir::PadTypeFromName(pad_type->literal->AsString().value_or("valid"))
                            .value_or(ir::PadType::kValid);
  consumer.groups = IntsOf(op, "groups", 1, 1)[0];
  return consumer;
}

// Adds rows [count, row] of group `group`.
void AddRows(std::span<const float> rows, int64_t group, InputMoments* moments) {
  const auto row = static_cast<size_t>(moments->row);
  const size_t first = static_cast<size_t>(group) * row;
  for (size_t at = 0; at < rows.size(); at += row) {
    for (size_t i = 0; i < row; ++i) {
      const double value = rows[at + i];
      moments->sums[first + i] += value;
      moments->squares[first + i] += value * value;
    }
  }
  const size_t count = rows.size() / row;
  if (group == 0) moments->count += static_cast<double>(count);
  if (moments->products.empty()) return;
  const size_t square = row * row;
  AddProducts(
      rows, row,
      std::span<float>(moments->products).subspan(static_cast<size_t>(group) * square, square));
}

void AddLinear(const exec::ConstTensor& x, InputMoments* moments) {
  const int64_t row = moments->row;
  const int64_t count = x.count() / row;
  const int64_t taken = std::min(count, kPositions);
  std::vector<float> rows;
  for (int64_t i = 0; i < taken; ++i) {
    const float* from = x.As<float>() + i * count / taken * row;
    rows.insert(rows.end(), from, from + row);
  }
  AddRows(rows, 0, moments);
}

void AddConv(const exec::ConstTensor& x, Consumer consumer, InputMoments* moments) {
  const size_t spatial = consumer.dims.size();
  if (x.shape.size() != spatial + 2) return;
  int64_t positions = 1;
  for (size_t i = 0; i < spatial; ++i) {
    if (!ir::PlaceWindow(x.shape[i + 2], consumer.pad_type, false, &consumer.dims[i]).ok()) return;
    positions *= consumer.dims[i].output;
  }
  int64_t pixels = 1;
  int64_t kernel = 1;
  for (size_t i = 0; i < spatial; ++i) {
    pixels *= x.shape[i + 2];
    kernel *= consumer.dims[i].kernel;
  }
  const int64_t channels = moments->row / kernel;  // of a group
  if (x.shape[1] != channels * moments->groups) return;
  const int64_t taken = std::min(positions, kPositions);
  std::vector<float> rows(static_cast<size_t>(taken * moments->row));
  for (int64_t group = 0; group < moments->groups; ++group) {
    for (int64_t n = 0; n < x.shape[0]; ++n) {
      for (int64_t t = 0; t < taken; ++t) {
        int64_t position = (2 * t + 1) * positions / (2 * taken);
        std::vector<int64_t> corner(spatial);
        for (size_t i = spatial; i-- > 0;) {
          corner[i] = position % consumer.dims[i].output * consumer.dims[i].stride -
                      consumer.dims[i].pad_before;
          position /= consumer.dims[i].output;
        }
        float* to = rows.data() + t * moments->row;
        for (int64_t k = 0; k < kernel; ++k) {
          int64_t tap = k;
          int64_t pixel = 0;
          int64_t step = 1;
          bool inside = true;
          for (size_t i = spatial; i-- > 0;) {
            const int64_t at =
                corner[i] + tap % consumer.dims[i].kernel * consumer.dims[i].dilation;
            tap /= consumer.dims[i].kernel;
            inside = inside && at >= 0 && at < x.shape[i + 2];
            pixel += at * step;
            step *= x.shape[i + 2];
          }
          for (int64_t c = 0; c < channels; ++c) {
            const int64_t channel = n * x.shape[1] + group * channels + c;
            to[c * kernel + k] = inside ? x.As<float>()[channel * pixels + pixel] : 0.0f;
          }
        }
      }
      AddRows(rows, group, moments);
    }
  }
}

}  // namespace

std::set<std::string> MatrixNames(const ir::Program& program) {
  std::set<std::string> names;
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& op) {
      if (op.is_const() && op.output()->type.is_tensor() && op.output()->type.rank() > 1)
        names.insert(op.output()->name);
    });
  }
  return names;
}

Result<InputStatistics> CollectMoments(const ir::Model& model, const Calibration& calibration,
                                       const std::set<std::string>& names, bool products,
                                       const SampleProgress& progress,
                                       const std::function<bool()>& cancelled) {
  const ir::FunctionDescription* main = model.main();
  const ir::Function* function =
      main != nullptr ? model.program.Find(main->name) : model.program.main();
  if (function == nullptr) return InvalidInput("the model has no function to calibrate");
  InputStatistics statistics;
  int64_t product_bytes = 0;
  std::map<std::string, std::vector<Consumer>> consumers;  // by the name of their input
  const ir::UseMap uses = ir::FindUses(*function);
  ir::ForEachOperation(*function->block, [&](const ir::Operation& op) {
    if (op.type() != "conv" && op.type() != "linear") return;
    const ir::Value* weight = op.Input("weight");
    const ir::Value* x = op.Input("x");
    if (weight == nullptr || x == nullptr || !names.contains(weight->name)) return;
    const auto found = uses.find(weight);
    if (found == uses.end() || found->second.size() != 1 || weight->type.rank() < 2) return;
    const Consumer consumer = MakeConsumer(op, *weight);
    InputMoments moments;
    moments.groups = consumer.groups;
    moments.row =
        weight->type.element_count().value_or(0) / std::max<int64_t>(1, weight->type.shape()[0]);
    if (moments.row == 0) return;
    const int64_t bytes = moments.row * moments.row * moments.groups * int64_t{sizeof(float)};
    if (products && moments.row <= kMaxProductRow && product_bytes + bytes <= kMaxProductBytes) {
      product_bytes += bytes;
      moments.products.assign(static_cast<size_t>(bytes) / sizeof(float), 0.0f);
    }
    moments.sums.assign(static_cast<size_t>(moments.row * moments.groups), 0);
    moments.squares = moments.sums;
    statistics[weight->name] = std::move(moments);
    consumers[x->name].push_back(consumer);
  });
  ANEMONE_TRY(ForEachActivation(model, calibration, progress, cancelled,
                                [&](const std::string& name, const exec::ConstTensor& tensor) {
                                  const auto found = consumers.find(name);
                                  if (found == consumers.end()) return;
                                  for (const Consumer& consumer : found->second) {
                                    InputMoments& moments = statistics[consumer.weight];
                                    if (consumer.conv) {
                                      AddConv(tensor, consumer, &moments);
                                    } else {
                                      AddLinear(tensor, &moments);
                                    }
                                  }
                                }));
  // Statistics that overflowed on the way are useless.
  std::erase_if(statistics, [](const auto& entry) {
    return std::ranges::any_of(entry.second.squares,
                               [](double square) { return !std::isfinite(square); });
  });
  return statistics;
}

}  // namespace anemone::compress
#endif  // HWY_ONCE
