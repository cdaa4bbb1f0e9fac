// NAME.manifest.json beside a NAME.mlpackage that a command wrote: what the package is, where its
// weights came from, and its expected behavior on Apple's chips. Thread rules: the main thread.
// Errors: kIo.
#pragma once

#include <string>
#include <thread>

#include "base/status.h"
#include "base/tree_hash.h"
#include "compress/report.h"
#include "facade/model_source.h"
#include "ir/model.h"
#include "lab/manifest.h"

namespace anemone::facade {

// The SHA-256 of the file or folder that a MODEL argument names, computed beside what else is done with it:
// of a large model it takes as long as its conversion. Thread rules: made, asked and destroyed by one thread.
class SourceHash {
 public:
  // Of a catalog name there is none.
  explicit SourceHash(std::string path);
  ~SourceHash();
  SourceHash(const SourceHash&) = delete;
  SourceHash& operator=(const SourceHash&) = delete;

  const std::string& path() const { return path_; }
  // In hexadecimal; "" when the path names nothing that can be read.
  const std::string& Wait();

 private:
  std::string path_;
  std::string sha256_;
  std::thread thread_;
};

// Fills everything except the parity, which comes from measurement, and the tensors, which come
// from compression. `source` is of the MODEL argument from which `original` was loaded; `written` is
// the program in `package`. Values that cannot be estimated for this program stay unknown.
// `facts` are the package's, where its writer gave them.
Status DescribePackage(SourceHash& source, const LoadedModel& original, const ir::Model& written,
                       const std::string& package, const TreeFacts* facts, lab::Manifest* manifest);

// What was done to each tensor.
void NoteTensors(const compress::Report& report, lab::Manifest* manifest);

}  // namespace anemone::facade
