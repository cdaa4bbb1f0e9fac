// anemone matrix: device by variant, from run records.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunMatrix(const MatrixOptions& options, const Globals& globals) {
  ANEMONE_ASSIGN(const MatrixResult result, facade::RunMatrix(options));
  if (globals.json) {
    Print(result.json);
    return {};
  }
  for (const MatrixResult::Row& row : result.rows) {
    std::cout << fmt::format("{:13} {:28} {}{}\n", row.verdict, row.variant, row.device,
                             row.decided_by.empty() ? "" : "  (" + row.decided_by + ")");
  }
  Say(globals, fmt::format("{} cells of {} records: {}/index.html, table.csv, table.json",
                           result.rows.size(), options.record.size(), options.output));
  return {};
}

}  // namespace

void AddMatrix(Command app, Context& context) {
  Command command = app.AddCommand("matrix", "device by variant table and page from run records");
  auto options = std::make_shared<MatrixOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer("Example: anemone matrix records/*.jsonl -o site");
  OnRun(command, context, [options, &context] { return RunMatrix(*options, context.globals); });
}

}  // namespace anemone::cli
