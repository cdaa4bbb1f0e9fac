// The catalog: image classifiers that Anemone builds itself, from published weights or from a seed.
//
//   ANEMONE_ASSIGN(ir::Model model,
//                  zoo::Build("resnet50", zoo::WeightSource::File("resnet50.safetensors")));
//
// Every model takes "image" (fp32, [1, 3, H, W], normalized as its Preprocessing says) and gives
// "logits" and "probabilities" (fp32, [1, 1000]). Batch normalization and train-time branches are
// folded into convolutions, in double precision. The metadata says where the weights came from
// (keys below). Thread rules: pure functions. Errors: kUsage for an unknown name (the message lists
// the names); for a weight file, every missing, unused and wrongly shaped tensor at once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "acquire/safetensors.h"
#include "anemone/options.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::zoo {

// How a picture becomes the input: shorter side to `resize` with `filter`, center crop to `size`,
// then (value / 255 - mean) / std for each channel.
struct Preprocessing {
  int64_t size = 224;
  int64_t resize = 256;
  std::string_view filter = "bicubic";
  std::array<float, 3> mean = kImageNetMean;
  std::array<float, 3> std = kImageNetDeviation;
};

struct ZooEntry {
  std::string_view name;
  std::string_view title;    // "ResNet-50 v1.5"
  std::string_view weights;  // which files are understood, for help texts
  Preprocessing preprocessing;
};

// In the order of the catalog.
std::span<const ZooEntry> Entries();
// Null when no entry has that name.
const ZooEntry* FindEntry(std::string_view name);

struct WeightSource {
  std::string path;  // any file that acquire::WeightFile opens; empty: seeded
  uint64_t seed = 0;
  std::string url;  // where the file came from, if known; kept in the metadata

  static WeightSource File(std::string path) { return {std::move(path), 0, {}}; }
  static WeightSource Seeded(uint64_t seed) { return {{}, seed, {}}; }
};

// Keys of the metadata's user_defined.
inline constexpr char kKeyArchitecture[] = "anemone.architecture";
inline constexpr char kKeyWeights[] = "anemone.weights";  // "pretrained", "file" or "seeded"
inline constexpr char kKeySeed[] = "anemone.weights.seed";
inline constexpr char kKeySha256[] = "anemone.weights.sha256";
inline constexpr char kKeyUrl[] = "anemone.weights.url";
inline constexpr char kKeyLicense[] = "anemone.weights.license";
inline constexpr char kKeyToolVersion[] = "anemone.tool_version";

Result<ir::Model> Build(std::string_view name, const WeightSource& source,
                        ir::Opset opset = ir::Opset::kIOS15);

// The seeded weights that Build folds, under the names that timm gives them, batch-norm statistics
// included. Write them with acquire::EncodeSafeTensors to load them elsewhere.
Result<std::vector<acquire::NamedTensor>> SeededWeights(std::string_view name, uint64_t seed);

}  // namespace anemone::zoo
