// The catalog of models: models/catalog.json, built into the binary. It holds what is known of each
// model and the source of each fact; facts without a source are absent. Thread rules: Catalog() is
// immutable and shared; ParseCatalog is pure. Errors: kInvalidInput that lists every violation of
// the schema at once, with its place.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::acquire {

struct CatalogFile {
  std::string url;
  std::optional<int64_t> size_bytes;
  // Lower-case hex, all 64 digits; or, in sha256_prefix, the first digits when the publisher puts
  // only these into the name. Both empty: recorded at first use.
  std::string sha256;
  std::string sha256_prefix;
};

// How a picture becomes the input: shorter side to `resize` with `filter`, center crop to the
// input's size, then (value / 255 - mean) / std for each channel.
struct CatalogPreprocessing {
  int64_t resize = 0;
  std::string filter;  // "bicubic" or "bilinear"
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
};

struct CatalogInput {
  std::string name;
  std::string dtype;           // "float32", "int64" ...
  std::vector<int64_t> shape;  // as convert makes it: static
  std::optional<CatalogPreprocessing> preprocessing;
};

struct CatalogAccuracy {
  std::string metric;   // "top-1"
  double value = 0;     // in `unit`
  std::string unit;     // "%"
  std::string dataset;  // "ImageNet-1K validation"
  std::string source;   // who published it
};

struct CatalogEntry {
  std::string name;
  std::string title;
  std::string task;                // "image-classification" ...
  std::string import;              // "zoo": weights for one of our builders; "onnx": a graph
  std::string architecture;        // the zoo's name, or the publisher's
  std::string naming;              // of the weights: "timm", "torchvision", "onnx" ...
  std::vector<CatalogFile> files;  // the first is the one to open
  std::string license;             // SPDX, or the publisher's name for it
  std::string source;              // where the URL and the license are stated
  std::vector<CatalogInput> inputs;
  std::string labels;  // "imagenet-1k", or empty
  std::vector<CatalogAccuracy> accuracy;
  std::string checked;  // how the import of this network was verified
};

Result<std::vector<CatalogEntry>> ParseCatalog(std::string_view json);

// The built-in catalog, in its order. A test parses it, so it is valid.
const std::vector<CatalogEntry>& Catalog();
// Null when no model has that name.
const CatalogEntry* FindInCatalog(std::string_view name);
// The text of models/catalog.json.
std::string_view CatalogJson();

}  // namespace anemone::acquire
