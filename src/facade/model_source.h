// Loads a MODEL of any kind that the command, the facade and the lab name: an .onnx file, an
// .mlpackage (or a .zip with one), an .mlmodel, an .mlmodelc, a .mil text, or a catalog model. Thread rules: pure
// functions. Errors: what the readers report; kNotFound lists what a MODEL may be.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acquire/fetch.h"
#include "anemone/options.h"
#include "base/status.h"
#include "format/model_file.h"
#include "ir/model.h"

namespace anemone::facade {

struct ModelSource {
  std::string model;  // path, name in the catalog, or a URL
  LoadOptions options = {};
  // How pretrained weights are fetched when they are not in the cache.
  acquire::FetchOptions fetch = acquire::FetchOptions::FromEnvironment();
  // The model's file where it was opened already; it is not read again then.
  std::shared_ptr<const format::ModelFile> file = nullptr;
};

struct LoadedModel {
  std::shared_ptr<ir::Model> model;
  std::string name;    // for file names and reports: "resnet50"
  std::string origin;  // "onnx", "mlpackage", "mlmodel", "mlmodelc", "zip", "mil", "catalog"
  // "pretrained", "seeded" or "file" for a catalog model; empty otherwise.
  std::string weights;
  // The specification's name of what the file held; a network is lifted, all else is a program.
  std::string type = "mlProgram";
};

// The options that say how to load; how to predict does not matter here.
Result<LoadedModel> LoadModel(const ModelSource& source);

// The program of a model file: an ML Program as it is, a network lifted. kUnsupported, with what can be done, for a
// file whose model is not a program.
Result<ir::Model> DecodeModel(const format::ModelFile& file);

// The extension of a path in small letters: ".mlmodel".
std::string LowerExtension(const std::string& path);
// A model file's name without folder and extension: "sorter" of sorter.mlpackage.zip.
std::string NameOfModelFile(const std::string& path);

// Names of the catalog models.
std::vector<std::string> CatalogNames();

}  // namespace anemone::facade
