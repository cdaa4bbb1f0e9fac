// ZippedPackage: an .mlpackage inside a zip archive, as mail programs and browsers make them:
// "NAME.mlpackage/Manifest.json" and so on, or the package's files at the top of the archive.
// Nothing is written to disk: stored files are views of the archive, deflated ones are inflated into
// memory. What macOS adds (__MACOSX, .DS_Store) is ignored.
//
// Refused, by name: no package or several, links, paths that climb out, entries that occur twice, more
// than 10,000 entries, and archives that unpack to more than 4 GiB or 200 times their size (64 MiB are
// always allowed). Ownership: the Bytes returned keep the memory alive. Thread rules: immutable.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone::format {

class ZippedPackage {
 public:
  static Result<std::shared_ptr<const ZippedPackage>> Open(const Bytes& archive);

  // The model file.
  const Bytes& model() const { return model_; }
  // Where it is in the archive: "NAME.mlpackage/Data/com.apple.CoreML/model.mlmodel".
  const std::string& model_path() const { return model_path_; }
  // The file that `reference` names ("@model_path/weights/weight.bin"), from the model file's folder.
  Result<Bytes> Find(std::string_view reference) const;

 private:
  std::map<std::string, Bytes> files_;  // by path in the archive
  std::string model_path_;
  Bytes model_;
};

}  // namespace anemone::format
