// Options as JSON: an object into the fields of a table, and tables as a document for those who
// print or bind them. Thread rules: pure functions. Errors: kUsage that names every key that is
// unknown (with the nearest name), has another type or is out of its range.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "options/option.h"

namespace anemone::options {

// Sets the fields that an object names; empty text: none. A name that the table has twice, as two
// structs in one object do, sets both.
Status ReadJson(std::string_view json, const Table& table);

// What the field of an option holds.
Json JsonOf(const Option& option);

// Every table as one document (schema anemone.options): name, type, default, rule, flag, help and
// example of each option.
std::string AllTablesJson();

}  // namespace anemone::options
