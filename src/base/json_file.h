// Small JSON documents that our own processes hand each other as files: written whole or not at
// all, and read back with their schema checked; the reader still has to check the contents. Thread
// rules: pure functions but for the files. Errors: kIo, kNotFound; kInvalidInput for a file that is
// not such a document.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace anemone {

Status WriteJsonFile(const Json& json, const std::string& path);

// Returns a JSON object with this "schema" and "schema_version".
Result<Json> ReadJsonFile(const std::string& path, std::string_view schema, int version = 1);

}  // namespace anemone
