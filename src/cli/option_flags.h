// Flags from the tables of options: names, help, defaults and environment stand in the rows
// (options/option.h). What values may be is checked by whoever takes the options.
// Thread rules: the main thread.
#pragma once

#include <string>

#include "cli/arguments.h"
#include "options/option.h"

namespace anemone::cli {

// A flag for each row but those that all commands have. The fields must outlive the parsing.
void AddOptions(Command command, const options::Table& table);

// "image:1x3x224x224" into the shapes; what is wrong with it, or nothing.
std::string TakeShape(const std::string& text, options::Shapes& shapes);

}  // namespace anemone::cli
