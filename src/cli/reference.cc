// anemone reference: what the command line is, its exit codes and the chips it knows, as JSON, for
// tools/reference.py.
#include "base/error_codes.h"
#include "base/json.h"
#include "cli/command.h"
#include "facade/chip_table.h"
#include "facade/document.h"

namespace anemone::cli {
namespace {

Json OptionsOf(const CommandHelp& command) {
  Json options = Json::Array();
  for (const OptionHelp& option : command.options) {
    options.push_back({{"flags", option.flags},
                       {"positional", option.positional},
                       {"help", option.help},
                       {"takes_value", option.takes_value},
                       {"required", option.required},
                       {"values", option.values}});
  }
  return options;
}

Json Reference(const std::vector<CommandHelp>& commands) {
  Json document = facade::Document("anemone.reference");
  Json list = Json::Array();
  for (const CommandHelp& command : commands) {
    list.push_back({{"path", command.path},
                    {"help", command.help},
                    {"footer", command.footer},
                    {"options", OptionsOf(command)}});
  }
  document["commands"] = std::move(list);
  Json codes = Json::Array();
  for (const ErrorCodeRow& row : kErrorCodes) {
    codes.push_back({{"exit_code", ExitCode(row.code)},
                     {"name", ErrorCodeName(row.code)},
                     {"meaning", row.meaning}});
  }
  document["error_codes"] = std::move(codes);
  document["chips"] = facade::ChipTable();
  return document;
}

}  // namespace

void AddReference(Command app, Context& context) {
  Command command = app.AddCommand("reference", "print the command line as JSON").Hide();
  OnRun(command, context, [app] {
    Print(facade::DocumentText(Reference(app.Describe())));
    return Status();
  });
}

}  // namespace anemone::cli
