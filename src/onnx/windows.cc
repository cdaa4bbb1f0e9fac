#include "onnx/windows.h"

#include <algorithm>

namespace anemone::onnx {
namespace {

Status ReadPositive(const NodeContext& context, std::string_view name, size_t count,
                    std::vector<int64_t>& out) {
  out = context.IntsAttribute(name).value_or(std::vector<int64_t>(count, 1));
  if (out.size() != count) {
    return InvalidInput("{} has {} entries for {} spatial dims", name, out.size(), count);
  }
  for (const int64_t value : out) {
    if (value < 1 || value > INT32_MAX) return InvalidInput("{} must not hold {}", name, value);
  }
  return {};
}

}  // namespace

bool Windows::HasPads() const {
  const auto set = [](int64_t pad) { return pad != 0; };
  return std::any_of(begin.begin(), begin.end(), set) || std::any_of(end.begin(), end.end(), set);
}

std::vector<int64_t> Windows::MilPads() const {
  std::vector<int64_t> pads;
  for (size_t i = 0; i < count(); ++i) pads.insert(pads.end(), {begin[i], end[i]});
  return pads;
}

Result<Windows> ReadWindows(const NodeContext& context, std::vector<int64_t> kernel) {
  const FixedDims dims = context.Dims(0);
  if (dims.size() < 3 || dims.size() != kernel.size() + 2) {
    return InvalidInput("a kernel of {} dims does not fit an input of rank {}", kernel.size(),
                        dims.size());
  }
  if (dims.size() > 5) return Unsupported("more than three spatial dims are not supported");
  Windows windows;
  windows.kernel = std::move(kernel);
  const size_t count = windows.count();
  for (const int64_t size : windows.kernel) {
    if (size < 1 || size > INT32_MAX) return InvalidInput("the kernel has a size of {}", size);
  }
  ANEMONE_TRY(ReadPositive(context, "strides", count, windows.strides));
  ANEMONE_TRY(ReadPositive(context, "dilations", count, windows.dilations));
  windows.begin.assign(count, 0);
  windows.end.assign(count, 0);
  const std::string auto_pad = context.String("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    for (size_t i = 0; i < count; ++i) {
      int64_t total = windows.Extent(i) - 1;  // at any size, in steps of one
      if (windows.strides[i] != 1) {
        const int64_t size = dims[i + 2];
        const int64_t outputs = (size + windows.strides[i] - 1) / windows.strides[i];
        total = std::max<int64_t>((outputs - 1) * windows.strides[i] + windows.Extent(i) - size, 0);
      }
      windows.begin[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      windows.end[i] = total - windows.begin[i];
    }
    return windows;
  }
  if (auto_pad == "VALID") return windows;
  if (auto_pad != "NOTSET") return InvalidInput("auto_pad is '{}'", auto_pad);
  const auto pads = context.IntsAttribute("pads").value_or(std::vector<int64_t>(2 * count, 0));
  if (pads.size() != 2 * count) {
    return InvalidInput("pads has {} entries for {} spatial dims", pads.size(), count);
  }
  for (size_t i = 0; i < count; ++i) {
    windows.begin[i] = pads[i];
    windows.end[i] = pads[i + count];
    if (pads[i] < 0 || pads[i + count] < 0) {
      return Unsupported("negative pads are not supported").Advise("crop with Slice before it");
    }
    if (pads[i] > INT32_MAX || pads[i + count] > INT32_MAX)
      return InvalidInput("a pad is too large");
  }
  return windows;
}

}  // namespace anemone::onnx
