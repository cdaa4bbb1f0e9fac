// The operations of a program whose integer results are int64 in the model that it was made from
// (ir::Operation::has_int64_results). MIL has no such mark, so that a package lists the names of their
// results under one key of its metadata, where Core ML ignores them. Thread rules: pure functions.
#pragma once

#include <map>
#include <string>

#include "ir/program.h"

namespace anemone::format {

// "name,name,..."; absent without such operations.
inline constexpr const char* kInt64ResultsKey = "anemone.int64_results";

// Sets or removes the entry.
void WriteInt64Results(const ir::Program& program, std::map<std::string, std::string>* metadata);
// Marks the operations that the entry names, and removes it. Names that the program lacks are ignored:
// another tool may have removed an operation.
void ReadInt64Results(std::map<std::string, std::string>* metadata, ir::Program* program);

}  // namespace anemone::format
