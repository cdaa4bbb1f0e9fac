// The three files of a compiled neural network, as Apple's compiler writes them ("Espresso"):
//
//   model.espresso.net      JSON: layers in order, each with type, name, bottom and top (the names of
//                           its inputs and outputs, separated by commas) and its parameters;
//                           transform_params, the preprocessing of images
//   model.espresso.shape    JSON: layer_shapes, the sizes n, k, h, w (seq) and _rank of each blob
//   model.espresso.weights  u64 count, then count pairs of u64 index and u64 size, then the blobs'
//                           bytes in the order of the table; all little-endian
//
// Values and pure functions. Ownership: blobs are views into the bytes of the weight file and keep
// them alive. Errors: kInvalidInput; kUnsupported for the compressed form of system models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/status.h"
#include "ir/type.h"

namespace anemone::format::espresso {

inline constexpr std::string_view kLayersName = "model.espresso.net";
inline constexpr std::string_view kShapesName = "model.espresso.shape";
inline constexpr std::string_view kWeightsName = "model.espresso.weights";

struct BlobShape {
  ir::Shape dims;       // outermost first; [n, k, h, w] where the file does not say the rank
  bool ranked = false;  // the file says the rank
};

struct NetworkFiles {
  Json layers;      // a list of objects
  Json transforms;  // an object: preprocessing by the name of the input
  std::map<std::string, BlobShape> shapes;
  std::map<uint64_t, Bytes> blobs;
};

// Each fills its part of `files`.
Status ParseLayers(std::string_view text, NetworkFiles* files);
Status ParseShapes(std::string_view text, NetworkFiles* files);
Status ParseWeights(const Bytes& bytes, NetworkFiles* files);

}  // namespace anemone::format::espresso
