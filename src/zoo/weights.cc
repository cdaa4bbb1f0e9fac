#include "zoo/weights.h"

#include <algorithm>
#include <string_view>

#include "base/dtype.h"
#include "base/random.h"

namespace anemone::zoo {
namespace {

// A counter that PyTorch stores beside batch-norm statistics; inference does not use it.
constexpr std::string_view kIgnoredSuffix = "num_batches_tracked";

bool IsIgnored(std::string_view name) {
  return name.size() >= kIgnoredSuffix.size() &&
         name.substr(name.size() - kIgnoredSuffix.size()) == kIgnoredSuffix;
}

bool ToDoubles(const acquire::NamedTensor& tensor, std::vector<double>* out) {
  const auto copy = [&](auto values, auto convert) {
    std::transform(values.begin(), values.end(), out->begin(), convert);
    return true;
  };
  const auto same = [](auto value) { return static_cast<double>(value); };
  switch (tensor.dtype) {
    case DType::kFp32:
      return copy(tensor.data.As<float>(), same);
    case DType::kFp64:
      return copy(tensor.data.As<double>(), same);
    case DType::kFp16:
      return copy(tensor.data.As<uint16_t>(), [](uint16_t v) { return double{HalfToFloat(v)}; });
    case DType::kBf16:
      return copy(tensor.data.As<uint16_t>(), [](uint16_t v) { return double{Bf16ToFloat(v)}; });
    default:
      return false;
  }
}

// Subtracts from each weight the mean over dimension 1.
void Balance(const ir::Shape& shape, std::vector<double>* values) {
  const auto in = static_cast<size_t>(shape[1]);
  const size_t taps = values->size() / static_cast<size_t>(shape[0]) / in;
  for (size_t start = 0; start < values->size(); start += in * taps) {
    for (size_t tap = 0; tap < taps; ++tap) {
      double sum = 0;
      for (size_t i = 0; i < in; ++i) sum += (*values)[start + i * taps + tap];
      for (size_t i = 0; i < in; ++i) {
        (*values)[start + i * taps + tap] -= sum / static_cast<double>(in);
      }
    }
  }
}

void List(std::string_view heading, const std::vector<std::string>& items, std::string* out) {
  if (items.empty()) return;
  if (!out->empty()) *out += "; ";
  *out += fmt::format("{} {}: ", items.size(), heading);
  for (size_t i = 0; i < items.size(); ++i) *out += (i == 0 ? "" : ", ") + items[i];
}

}  // namespace

std::vector<double> Weights::Take(const std::string& name, const ir::Shape& shape,
                                  const Fill& fill) {
  const auto count = static_cast<size_t>(*ir::ElementCount(shape));
  taken_.insert(name);
  return seeded() ? FromSeed(name, shape, count, fill) : FromFile(name, shape, count);
}

std::vector<double> Weights::FromFile(const std::string& name, const ir::Shape& shape,
                                      size_t count) {
  std::vector<double> values(count, 0.0);
  const acquire::NamedTensor* tensor = file_->Find(name);
  if (tensor == nullptr) {
    missing_.push_back(fmt::format("{} {}", name, ir::ShapeToString(shape)));
  } else if (tensor->shape != shape) {
    wrong_.push_back(fmt::format("{} is {} but should be {}", name,
                                 ir::ShapeToString(tensor->shape), ir::ShapeToString(shape)));
  } else if (!ToDoubles(*tensor, &values)) {
    wrong_.push_back(fmt::format("{} holds {}, not floats", name, DTypeName(tensor->dtype)));
  }
  return values;
}

std::vector<double> Weights::FromSeed(const std::string& name, const ir::Shape& shape, size_t count,
                                      const Fill& fill) {
  std::vector<double> exact(count);
  Random random(seed_, name);
  for (size_t i = 0; i < count; ++i) {
    const double center = fill.center.size() == 1 ? fill.center[0] : fill.center[i];
    exact[i] = center + fill.spread * (2.0 * random.Uniform() - 1.0);
  }
  if (fill.balanced) Balance(shape, &exact);
  std::vector<float> rounded(exact.begin(), exact.end());
  std::vector<double> values(rounded.begin(), rounded.end());
  made_.push_back({name, DType::kFp32, shape, Bytes::FromVector(std::move(rounded))});
  return values;
}

Status Weights::Finish() const {
  if (seeded()) return {};
  std::vector<std::string> left_over;
  for (const acquire::NamedTensor& tensor : file_->tensors()) {
    if (!taken_.contains(tensor.name) && !IsIgnored(tensor.name)) left_over.push_back(tensor.name);
  }
  std::string problems;
  List("tensors are missing", missing_, &problems);
  List("have a wrong shape or type", wrong_, &problems);
  List("are not used by any layer", left_over, &problems);
  if (problems.empty()) return {};
  return InvalidInput("{}", problems).Advise("the weights must be those of this architecture");
}

}  // namespace anemone::zoo
