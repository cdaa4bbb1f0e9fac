// Small JSON documents that our own processes hand each other as files: written whole or not at
// all, read back with their schema checked. What is in them is still to be checked by the reader.
// As text, so that who includes this need not know the JSON library.
// Thread rules: pure functions but for the files. Errors: kIo, kNotFound; kInvalidInput for a file
// that is no such document.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone {

Status WriteJsonFile(std::string_view json, const std::string& path);

// The text of an object whose "schema" and "schema_version" are these: it parses.
Result<std::string> ReadJsonFile(const std::string& path, std::string_view schema, int version = 1);

}  // namespace anemone
