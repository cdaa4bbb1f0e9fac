// Options written as the command's flags: what cli/option_flags.h reads. For processes that start
// the command. Thread rules: pure functions.
#pragma once

#include <string>
#include <vector>

#include "options/option.h"

namespace anemone::options {

// A word or more for each field that differs from the one of the same row in `defaults`; first
// those that the command takes by position. Flags that all commands have are left out.
std::vector<std::string> CommandLine(const Table& table, const Table& defaults);

template <typename Options>
std::vector<std::string> CommandLine(Options options) {
  Options defaults;
  return CommandLine(TableOf(options), TableOf(defaults));
}

}  // namespace anemone::options
