// The hidden commands that the library starts the command `anemone` with, for work that may crash
// or hang its process: a model's first load, the measured calls of a gate. Each reads a request
// file. Thread rules: one thread, that of the child process. Errors: the exit code of the process.
#pragma once

#include <span>
#include <string>

namespace anemone::facade {

struct ChildCommand {
  const char* name;
  int (*run)(const std::string& request_path);
};
std::span<const ChildCommand> ChildCommands();

}  // namespace anemone::facade
