// PackageLayout: where the parts of an .mlpackage lie on disk.
//
//   NAME.mlpackage/
//     Manifest.json
//     Data/com.apple.CoreML/model.mlmodel        the specification (protobuf)
//     Data/com.apple.CoreML/weights/weight.bin   the large constants
//
// Values; no thread rules to keep. Errors: kNotFound, kIo, kInvalidInput with the path and the
// rule.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::format {

inline constexpr std::string_view kManifestName = "Manifest.json";
inline constexpr std::string_view kDataFolder = "Data";
inline constexpr std::string_view kAuthor = "com.apple.CoreML";
inline constexpr std::string_view kModelName = "model.mlmodel";
inline constexpr std::string_view kWeightsName = "weights";
inline constexpr std::string_view kWeightFileName = "weight.bin";

// Reads the manifest of the package and returns the path of its model file, known to lie inside the
// package.
Result<std::string> FindModelFile(const std::string& package);

// kInvalidInput when a manifest has more bytes than one needs.
Status CheckManifestSize(size_t bytes);

// The path below the model file's folder that `reference` names: "weights/weight.bin" for
// "@model_path/weights/weight.bin". kInvalidInput when it would climb out.
Result<std::string> RelativeModelPath(std::string_view reference);

// The file that `reference` names ("@model_path/weights/weight.bin" or a relative path), looked up
// from `folder`, where the model file is. kInvalidInput when it would lie outside `folder`, be it
// through ".." or through a symbolic link.
Result<std::string> ResolveModelPath(const std::string& folder, std::string_view reference);

// Whether `path` may be replaced by a package: it is absent, an empty directory, or holds a
// Manifest.json.
Status CheckReplaceable(const std::string& path);

}  // namespace anemone::format
