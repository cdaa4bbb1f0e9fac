// anemone options: the tables of options as JSON, for tools/options.py and for who binds them.
#include <iostream>

#include "cli/command.h"
#include "options/json.h"

namespace anemone::cli {

void AddOptionTables(Command app, Context& context) {
  Command command = app.AddCommand("options", "print the tables of all options").Hide();
  OnRun(command, context, [] {
    std::cout << options::AllTablesJson() << "\n";
    return Status();
  });
}

}  // namespace anemone::cli
