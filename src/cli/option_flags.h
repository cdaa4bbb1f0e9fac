// Flags from the tables of options: names, help, defaults and environment stand in the rows
// (options/option.h). What values may be is checked by whoever takes the options.
// Thread rules: the main thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "options/option.h"

namespace anemone::cli {

// Other flags for options whose usual one means something else in a command: {"weights",
// "--weights-from"}.
using Renames = std::map<std::string_view, std::string>;

// A flag for each row but those that all commands have. The fields must outlive the parsing.
void AddOptions(Command command, const options::Table& table, const Renames& renames = {});

// The rows with these names, or without them, in the table's order.
options::Table Pick(const options::Table& table, std::initializer_list<std::string_view> names);
options::Table Without(const options::Table& table, std::initializer_list<std::string_view> names);

// "image:1x3x224x224" into the shapes; what is wrong with it, or nothing.
std::string TakeShape(const std::string& text, options::Shapes& shapes);

}  // namespace anemone::cli
