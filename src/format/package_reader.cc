#include <filesystem>

#include "format/compiled_reader.h"
#include "format/model_file.h"
#include "format/package.h"
#include "format/package_layout.h"

namespace anemone::format {

namespace fs = std::filesystem;

Result<ir::Model> ReadModelBytes(const Bytes& bytes, const std::string& name,
                                 const std::string& folder) {
  ANEMONE_ASSIGN(const ModelFile file, ModelFile::Parse(bytes, name, folder));
  return DecodeProgramModel(file);
}

Result<ir::Model> ReadModelFile(const std::string& path) {
  ANEMONE_ASSIGN(const ModelFile file, ModelFile::Open(path));
  return DecodeProgramModel(file);
}

Result<ir::Model> ReadPackage(const std::string& path) {
  ANEMONE_ASSIGN(const std::string model_file, FindModelFile(path));
  return ReadModelFile(model_file);
}

Result<ir::Model> ReadModel(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return ReadModelFile(path);
  if (IsCompiledModel(path)) return ReadCompiled(path);
  return ReadPackage(path);
}

}  // namespace anemone::format
