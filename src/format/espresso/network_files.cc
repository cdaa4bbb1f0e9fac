#include "format/espresso/network_files.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace anemone::format::espresso {
namespace {

// Nets of system models are packed so; what an app ships is plain JSON.
constexpr std::string_view kCompressedMark = "pbze";
constexpr int64_t kVersion = 200;
// Outermost first.
constexpr std::array<std::string_view, 5> kAxes = {"seq", "n", "k", "h", "w"};

uint64_t NumberAt(const Bytes& bytes, size_t offset) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

Result<BlobShape> ShapeOf(const Json& sizes) {
  BlobShape shape;
  int64_t rank = 4;
  if (const Json* declared = sizes.Find("_rank")) {
    rank = declared->integer();
    shape.ranked = true;
    if (rank < 1 || rank > static_cast<int64_t>(kAxes.size())) {
      return InvalidInput("its rank is {}", declared->Dump());
    }
  }
  for (size_t axis = 0; axis < kAxes.size(); ++axis) {
    int64_t size = 1;
    if (const Json* declared = sizes.Find(kAxes[axis])) {
      size = declared->integer();
      if (size < 1 || size > INT32_MAX) {
        return InvalidInput("its size {} is {}", kAxes[axis], declared->Dump());
      }
    }
    const bool within = axis + static_cast<size_t>(rank) >= kAxes.size();
    if (within) {
      shape.dims.push_back(size);
    } else if (size != 1) {
      return InvalidInput("its rank is {}, but its size {} is {}", rank, kAxes[axis], size);
    }
  }
  if (!ir::ElementCount(shape.dims)) return InvalidInput("it has too many elements");
  return shape;
}

}  // namespace

Status ParseLayers(std::string_view text, NetworkFiles* files) {
  if (text.starts_with(kCompressedMark)) {
    return Unsupported("the layers are compressed (pbze), as those of system models are")
        .Advise("bring the .mlmodel that the folder was compiled from");
  }
  ANEMONE_ASSIGN(const Json net, ParseJson(text));
  const Json& version = net["format_version"];
  if (version.integer() != kVersion) {
    return Unsupported("format_version is {}; only {} is known", version.Dump(), kVersion)
        .Advise("bring the .mlmodel that the folder was compiled from");
  }
  files->layers = net["layers"];
  if (!files->layers.is_array() || files->layers.empty()) return InvalidInput("it has no layers");
  const bool objects = std::ranges::all_of(files->layers.begin(), files->layers.end(),
                                           [](const Json& layer) { return layer.is_object(); });
  if (!objects) return InvalidInput("a layer is not an object");
  files->transforms = net["transform_params"];
  if (!files->transforms.is_null() && !files->transforms.is_object()) {
    return InvalidInput("transform_params is not an object");
  }
  return {};
}

Status ParseShapes(std::string_view text, NetworkFiles* files) {
  ANEMONE_ASSIGN(const Json json, ParseJson(text));
  const Json& shapes = json["layer_shapes"];
  if (!shapes.is_object()) return InvalidInput("it has no layer_shapes");
  for (const auto& [name, sizes] : shapes.items()) {
    ANEMONE_ASSIGN(files->shapes[name], ShapeOf(sizes).At(fmt::format("blob '{}'", name)));
  }
  return {};
}

Status ParseWeights(const Bytes& bytes, NetworkFiles* files) {
  constexpr size_t kNumber = sizeof(uint64_t), kEntry = 2 * kNumber;
  if (bytes.size() < kNumber) return InvalidInput("it ends within the number of blobs");
  const uint64_t count = NumberAt(bytes, 0);
  if (count > (bytes.size() - kNumber) / kEntry) {
    return InvalidInput("its table of {} blobs is longer than the file", count);
  }
  size_t offset = kNumber + static_cast<size_t>(count) * kEntry;
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = kNumber + i * kEntry;
    const uint64_t index = NumberAt(bytes, entry), size = NumberAt(bytes, entry + kNumber);
    if (size > bytes.size() - offset) {
      return InvalidInput("blob {} has {} bytes, but only {} are left in the file", index, size,
                          bytes.size() - offset);
    }
    const Bytes blob = bytes.Slice(offset, static_cast<size_t>(size)).AtAnyAddress();
    if (!files->blobs.emplace(index, blob).second) {
      return InvalidInput("two blobs have the index {}", index);
    }
    offset += static_cast<size_t>(size);
  }
  return {};
}

}  // namespace anemone::format::espresso
