// anemone options: the tables of options as JSON, for tools/options.py and for who binds them; with
// --model-types the table of Core ML's model types, for tools/model_types.py.
#include <iostream>

#include "anemone/feature_model.h"
#include "cli/command.h"
#include "options/json.h"

namespace anemone::cli {

void AddOptionTables(Command app, Context& context) {
  Command command = app.AddCommand("options", "print the tables of all options").Hide();
  auto model_types = std::make_shared<bool>(false);
  command.AddFlag("--model-types", *model_types, "the table of model types instead");
  OnRun(command, context, [model_types] {
    std::cout << (*model_types ? ModelTypesJson() : options::AllTablesJson()) << "\n";
    return Status();
  });
}

}  // namespace anemone::cli
