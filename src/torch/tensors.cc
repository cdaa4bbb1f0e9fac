#include "torch/tensors.h"

#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "acquire/torch_file.h"
#include "torch/schema.h"

namespace anemone::torch {
namespace {

// No tensor of a model has more elements; products below stay far from overflow.
constexpr int64_t kMaxElements = int64_t{1} << 40;

Result<std::vector<int64_t>> Numbers(const std::vector<Size>& sizes, std::string_view what) {
  std::vector<int64_t> numbers;
  for (const Size& size : sizes) {
    if (!size.value || *size.value < 0 || *size.value > kMaxElements)
      return InvalidInput("its {} are not numbers", what);
    numbers.push_back(*size.value);
  }
  return numbers;
}

// How the elements lie in their storage.
struct Layout {
  std::vector<int64_t> dims, strides;
  int64_t offset = 0;
  int64_t count = 1;
  int64_t reach = 0;  // the last element's distance from the first
};

Result<Layout> ReadLayout(const TensorMeta& meta) {
  Layout layout;
  ANEMONE_ASSIGN(layout.dims, Numbers(meta.sizes, "sizes"));
  ANEMONE_ASSIGN(layout.strides, Numbers(meta.strides, "strides"));
  layout.offset = meta.offset.value.value_or(0);
  if (layout.strides.size() != layout.dims.size())
    return InvalidInput("it has {} strides for {} dimensions", layout.strides.size(),
                        layout.dims.size());
  if (layout.offset < 0 || layout.offset > kMaxElements)
    return InvalidInput("its storage offset is {}", layout.offset);
  for (const int64_t size : layout.dims) {
    if (size == 0) {
      layout.count = layout.reach = 0;
      return layout;
    }
  }
  for (size_t d = 0; d < layout.dims.size(); ++d) {
    if (layout.count > kMaxElements / layout.dims[d])
      return InvalidInput("it has more than 2^40 elements");
    layout.count *= layout.dims[d];
    const int64_t steps = layout.dims[d] - 1;
    if (steps > 0 && layout.strides[d] > (kMaxElements - layout.reach) / steps)
      return InvalidInput("its strides reach too far");
    layout.reach += steps * layout.strides[d];
  }
  return layout;
}

bool IsContiguous(const Layout& layout) {
  int64_t expected = 1;
  for (size_t d = layout.dims.size(); d-- > 0;) {
    if (layout.dims[d] != 1 && layout.strides[d] != expected) return false;
    expected *= layout.dims[d];
  }
  return true;
}

Bytes Gather(const Layout& layout, const std::byte* first, size_t width) {
  std::vector<std::byte> out(static_cast<size_t>(layout.count) * width);
  std::vector<int64_t> at(layout.dims.size(), 0);
  int64_t position = 0;
  for (int64_t i = 0; i < layout.count; ++i) {
    std::memcpy(out.data() + static_cast<size_t>(i) * width,
                first + static_cast<size_t>(position) * width, width);
    for (size_t d = layout.dims.size(); d-- > 0;) {
      position += layout.strides[d];
      if (++at[d] < layout.dims[d]) break;
      position -= layout.strides[d] * layout.dims[d];
      at[d] = 0;
    }
  }
  return Bytes::FromVector(std::move(out));
}

Result<HeldTensor> FromStorage(const TensorMeta& meta, const Bytes& storage) {
  HeldTensor tensor;
  tensor.type = meta.type;
  ANEMONE_ASSIGN(const Layout layout, ReadLayout(meta));
  tensor.dims = layout.dims;
  const auto width = static_cast<size_t>(BitWidth(meta.dtype()) / 8);
  // What cannot be held is reported where something reads it.
  if (width == 0 || layout.count == 0) return tensor;
  const size_t available = storage.size() / width;
  if (static_cast<size_t>(layout.offset + layout.reach) >= available) {
    return InvalidInput("it reaches past its storage of {} bytes", storage.size())
        .Advise("the file may be truncated: fetch or export it again");
  }
  const size_t begin = static_cast<size_t>(layout.offset) * width;
  tensor.first = storage.data() + begin;
  tensor.last = tensor.first + static_cast<size_t>(layout.reach) * width;
  if (IsContiguous(layout)) {
    tensor.data = storage.Slice(begin, static_cast<size_t>(layout.count) * width);
    // Members of a zip archive may begin anywhere.
    if (reinterpret_cast<uintptr_t>(tensor.data.data()) % width != 0)
      tensor.data = tensor.data.AtAnyAddress();
    return tensor;
  }
  // A tensor that repeats its elements (a stride of 0) may be larger than the file.
  if (static_cast<size_t>(layout.count) > 4 * available && layout.count > (int64_t{1} << 26))
    return InvalidInput("it repeats its storage into {} elements", layout.count);
  tensor.data = Gather(layout, storage.data() + begin, width);
  return tensor;
}

ScalarType FromDType(DType dtype) {
  for (const ScalarType type :
       {ScalarType::kByte, ScalarType::kChar, ScalarType::kShort, ScalarType::kInt,
        ScalarType::kLong, ScalarType::kHalf, ScalarType::kFloat, ScalarType::kDouble,
        ScalarType::kBool, ScalarType::kBfloat16, ScalarType::kUint16}) {
    if (ToDType(type) == dtype) return type;
  }
  return ScalarType::kUnknown;
}

}  // namespace

Status AddPayload(const Json& config, const FindFile& find, Tensors* tensors) {
  for (const JsonMember& member : config["config"].items()) {
    const Json& entry = member.value;
    const std::string place = fmt::format("tensor '{}'", member.key);
    if (!entry["tensor_meta"].is_object()) continue;  // an object of its own class
    const Bytes* storage = find(entry["path_name"].text());
    if (storage == nullptr) {
      Status missing =
          InvalidInput("its file '{}' is not in the archive", entry["path_name"].text());
      return std::move(missing).At(place);
    }
    if (entry["use_pickle"].boolean()) {
      Status refused = Unsupported("it is a subclass of torch.Tensor, saved as a pickle")
                           .Advise("unwrap it before the export, or save its plain tensors");
      return std::move(refused).At(place);
    }
    auto meta = ParseTensorMeta(entry["tensor_meta"]).At(place);
    if (!meta.ok()) return std::move(meta).status();
    auto tensor = FromStorage(*meta, *storage).At(place);
    if (!tensor.ok()) return std::move(tensor).status();
    tensors->insert_or_assign(member.key, std::move(*tensor));
  }
  return {};
}

Status AddPickled(const Bytes& file, Tensors* tensors) {
  ANEMONE_ASSIGN(const auto named, acquire::ParseTorchFile(file, {.may_be_empty = true}));
  for (const acquire::NamedTensor& tensor : named) {
    HeldTensor held;
    held.type = FromDType(tensor.dtype);
    held.dims = tensor.shape;
    held.data = tensor.data;
    if (!held.data.empty()) {
      held.first = held.data.data();
      held.last = held.first + held.data.size() - 1;
    }
    tensors->insert_or_assign(tensor.name, std::move(held));
  }
  return {};
}

}  // namespace anemone::torch
