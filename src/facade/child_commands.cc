#include "facade/child_commands.h"

#include "gate/sides_child.h"
#include "runtime/first_load.h"

namespace anemone::facade {

std::span<const ChildCommand> ChildCommands() {
  static constexpr ChildCommand kCommands[] = {
      {runtime::kFirstLoadCommand,
       [](const std::string& request) { return runtime::RunFirstLoadChild(request); }},
      {gate::kRunSidesCommand,
       [](const std::string& request) { return gate::RunSidesChild(request); }},
  };
  return kCommands;
}

}  // namespace anemone::facade
