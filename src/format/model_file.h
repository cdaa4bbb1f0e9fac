// ModelFile: a Core ML model file, parsed but not decoded, whatever the type of its model. What makes
// a program of it is elsewhere: DecodeProgramModel for ML Programs, other folders for other types.
//
//   ANEMONE_ASSIGN(const auto file, ModelFile::Open("sorter.mlmodel"));
//   if (file.type_name() == "mlProgram") return DecodeProgramModel(file);
//
// Ownership: shares the parsed message, which lives as long as one of its copies. Thread rules:
// immutable. Errors: kInvalidInput for what is not a model file, kIo, kNotFound.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "format/weight_files.h"
#include "format/zipped_package.h"
#include "ir/model.h"

namespace anemone::format {

namespace proto {
class Model;
}

// What a model of any type says of itself: its features and its metadata.
struct ModelInterface {
  ir::FunctionDescription function;  // named "main"
  ir::Metadata metadata;
};

class ModelFile {
 public:
  // An .mlmodel, an .mlpackage, a zip archive with an .mlpackage (zipped_package.h), or an .mlmodelc
  // that describes itself (compiled_reader.h).
  static Result<ModelFile> Open(const std::string& path);
  // The bytes of a model file. `name` is what errors call it; `folder` is where its weight files are.
  static Result<ModelFile> Parse(const Bytes& bytes, const std::string& name,
                                 const std::string& folder);
  // A message that was made, not read from one file.
  static ModelFile Of(std::shared_ptr<const proto::Model> message, const std::string& name,
                      const std::string& folder);

  // Where the weight files of models inside the message are, by the model; those that are not named
  // have them where the file itself has.
  using PartFolders = std::map<const proto::Model*, std::string>;
  void SetPartFolders(PartFolders folders);
  // Whether the model is in one of those folders: it was compiled. A network then declares the shape
  // of each value that it makes.
  bool compiled() const;

  // A model that this one's message holds, as a file of its own; it shares the message.
  ModelFile Part(const proto::Model& part, const std::string& name) const;

  // The message; include "format/proto/model.pb.h" to read it.
  const proto::Model& message() const { return *message_; }
  const std::string& name() const { return name_; }
  // Where its files are; empty for a file in an archive.
  const std::string& folder() const { return folder_; }
  int32_t spec_version() const;
  // The weight files that it refers to, wherever they are.
  WeightFiles weights() const;
  // As the specification names the type: "mlProgram", "neuralNetworkClassifier"; "none".
  std::string_view type_name() const;

 private:
  static Result<ModelFile> OpenZipped(const Bytes& archive, const std::string& path);

  std::shared_ptr<const proto::Model> message_;
  std::string name_;
  std::string folder_;
  std::shared_ptr<const ZippedPackage> package_;     // null: the files are in folder_
  std::shared_ptr<const PartFolders> part_folders_;  // null: all parts' files are in folder_
};

// The specification's name of the type that a message holds.
std::string_view TypeName(const proto::Model& message);

// The interface as the file declares it, of any type of model.
Result<ModelInterface> DecodeInterface(const ModelFile& file);

// The model of a file whose type is mlProgram; kUnsupported, with advice, for another type.
Result<ir::Model> DecodeProgramModel(const ModelFile& file);

}  // namespace anemone::format
