#include "base/json_file.h"

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace anemone {

Status WriteJsonFile(const Json& json, const std::string& path) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(json.Dump({.indent = 2}) + "\n"));
  return file.Commit();
}

Result<Json> ReadJsonFile(const std::string& path, std::string_view schema, int version) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  const std::string_view text = bytes.text();
  const Json json = ParseJsonOrNull(text);
  if (json["schema"] != schema || json["schema_version"] != version) {
    return InvalidInput("the file is not a {} document of version {}", schema, version).At(path);
  }
  return json;
}

}  // namespace anemone
