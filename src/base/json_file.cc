#include "base/json_file.h"

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace anemone {

Status WriteJsonFile(std::string_view json, const std::string& path) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(json));
  return file.Commit();
}

Result<std::string> ReadJsonFile(const std::string& path, std::string_view schema, int version) {
  using Json = nlohmann::json;
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("schema", Json()) != schema ||
      json.value("schema_version", Json()) != version) {
    return InvalidInput("the file is not a {} document of version {}", schema, version).At(path);
  }
  return text;
}

}  // namespace anemone
