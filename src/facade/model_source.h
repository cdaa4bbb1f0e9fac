// Loads a MODEL of any kind that the command, the facade and the lab name: an .onnx file, an
// .mlpackage, an .mlmodel, an .mlmodelc, a .mil text, or a catalog model. Thread rules: pure
// functions. Errors: what the readers report; kNotFound lists what a MODEL may be.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acquire/fetch.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

struct ModelSource {
  std::string model;  // path, name in the catalog, or a URL
  // Catalog models only: a weight file or its URL, "pretrained" for what the catalog names, or
  // "seeded" for deterministic values from `seed`. Empty is "pretrained".
  std::string weights;
  uint64_t seed = 0;
  // Shapes for ONNX inputs whose dimensions are dynamic, by input name.
  std::map<std::string, ir::Shape> input_shapes = {};
  // The op set that importers and builders write.
  ir::Opset target = ir::Opset::kIOS17;
  // How pretrained weights are fetched when they are not in the cache.
  acquire::FetchOptions fetch = acquire::FetchOptions::FromEnvironment();
};

struct LoadedModel {
  std::shared_ptr<ir::Model> model;
  std::string name;    // for file names and reports: "resnet50"
  std::string origin;  // "onnx", "mlpackage", "mlmodel", "mlmodelc", "mil", "catalog"
  // "pretrained", "seeded" or "file" for a catalog model; empty otherwise.
  std::string weights;
};

Result<LoadedModel> LoadModel(const ModelSource& source);

// Names of the catalog models.
std::vector<std::string> CatalogNames();

}  // namespace anemone::facade
