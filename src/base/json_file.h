// Small JSON documents that our own processes hand each other as files: written whole or not at
// all, and read back with their schema checked; the reader still has to check the contents. They
// pass as text, so that including this does not pull in the JSON library. Thread rules: pure
// functions but for the files. Errors: kIo, kNotFound; kInvalidInput for a file that is not such
// a document.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone {

Status WriteJsonFile(std::string_view json, const std::string& path);

// Returns the text of a JSON object with this "schema" and "schema_version"; it parses.
Result<std::string> ReadJsonFile(const std::string& path, std::string_view schema, int version = 1);

}  // namespace anemone
