// Loads a MODEL of any kind that the command, the facade and the lab name: an .onnx file, an
// .mlpackage, an .mlmodel, an .mlmodelc, a .mil text, or a catalogue model. Thread rules: pure
// functions. Errors: what the readers report; kNotFound lists what a MODEL may be.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

struct ModelSource {
  std::string model;  // path, or name in the catalogue
  // Catalogue models only: a .safetensors file, or "seeded" for deterministic values from `seed`.
  // Empty: an error that says so.
  std::string weights;
  uint64_t seed = 0;
  // Shapes for ONNX inputs whose dimensions are dynamic, by input name.
  std::map<std::string, ir::Shape> input_shapes = {};
  // The op set that importers and builders write.
  ir::Opset target = ir::Opset::kIOS17;
};

struct LoadedModel {
  std::shared_ptr<ir::Model> model;
  std::string name;    // for file names and reports: "resnet50"
  std::string origin;  // "onnx", "mlpackage", "mlmodel", "mlmodelc", "mil", "catalogue"
};

Result<LoadedModel> LoadModel(const ModelSource& source);

// Names of the catalogue models.
std::vector<std::string> CatalogueNames();

}  // namespace anemone::facade
