// anemone options: the tables of options as JSON, for tools/options.py and for who binds them; with
// --model-types the table of Core ML's model types, for tools/model_types.py; with --schemas the JSON
// Schemas of what people write, for tools/reference.py.
#include <iostream>

#include "anemone/feature_model.h"
#include "anemone/tools.h"
#include "cli/command.h"
#include "options/json.h"

namespace anemone::cli {

void AddOptionTables(Command app, Context& context) {
  Command command = app.AddCommand("options", "print the tables of all options").Hide();
  auto model_types = std::make_shared<bool>(false);
  command.AddFlag("--model-types", *model_types, "the table of model types instead");
  auto schemas = std::make_shared<bool>(false);
  command.AddFlag("--schemas", *schemas, "the JSON Schemas of configurations instead");
  OnRun(command, context, [model_types, schemas] {
    std::cout << (*model_types ? ModelTypesJson()
                  : *schemas   ? SchemasJson()
                               : options::AllTablesJson())
              << "\n";
    return Status();
  });
}

}  // namespace anemone::cli
