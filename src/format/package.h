// Reading and writing Core ML models: the face of src/format.
//
// A read model's constants are views into the mapped weight file: opening a 100 MB model touches a
// few pages. Types are as the file declares them; run ir::Verify before trusting them. Files are
// not trusted: every error in one is kInvalidInput with file, place and rule; a valid file that is
// not handled here (not an ML Program, or an op set newer than iOS18) is kUnsupported. Thread
// rules: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/tree_hash.h"
#include "ir/model.h"

namespace anemone::format {

// Reads an .mlpackage, zipped or not, .mlmodel or .mlmodelc, told apart by content, not by name.
Result<ir::Model> ReadModel(const std::string& path);

Result<ir::Model> ReadPackage(const std::string& path);
// A bare model file; weight files, if it has any, are looked up beside it. Or a zipped .mlpackage.
Result<ir::Model> ReadModelFile(const std::string& path);
// The bytes of a model file. `name` is what errors call it; `folder` is where its weight files are.
Result<ir::Model> ReadModelBytes(const Bytes& bytes, const std::string& name,
                                 const std::string& folder);
// A compiled model: model.mil and its weights. The description follows from the program's types.
Result<ir::Model> ReadCompiled(const std::string& path);

struct WriteOptions {
  // kDisk waits for the disk, some milliseconds, so that not even a crash of the machine leaves
  // half a package.
  Durability durability = Durability::kProcess;
  // Takes what HashTree finds of the package, computed while its weights are written; null for nobody.
  TreeFacts* facts = nullptr;
};
// Writes `path` (an .mlpackage) atomically; an existing package there is replaced, anything else is
// left alone (kUsage). The same model gives the same bytes. Large constants go to
// weights/weight.bin by the rule of BelongsInWeightFile.
Status WritePackage(const ir::Model& model, const std::string& path,
                    const WriteOptions& options = {});

// Bytes of the files that WritePackage would write; nothing is written.
Result<int64_t> PackageSizeBytes(const ir::Model& model);

}  // namespace anemone::format
