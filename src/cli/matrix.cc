#include <chrono>
#include <filesystem>
#include <iostream>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "cli/gate.h"
#include "gate/matrix.h"

namespace anemone::cli {
namespace {

struct MatrixFlags {
  std::vector<std::string> records;
  std::string directory = "site";
  std::string policy;
};

Status RunMatrix(const MatrixFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const gate::Policy policy, FindPolicy(flags.policy));
  std::vector<gate::RecordFile> files;
  for (const std::string& path : flags.records) {
    ANEMONE_ASSIGN(auto file, gate::ReadRecordFile(path));
    files.push_back(std::move(file));
  }
  const int64_t now =
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  const gate::Matrix matrix = gate::MakeMatrix(policy, std::move(files), ANEMONE_VERSION, now);
  std::error_code error;
  std::filesystem::create_directories(flags.directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(flags.directory);
  ANEMONE_TRY(WriteWhole(flags.directory + "/table.csv", gate::ToCsv(matrix)));
  ANEMONE_TRY(WriteWhole(flags.directory + "/table.json", gate::ToTableJson(matrix)));
  ANEMONE_TRY(WriteWhole(flags.directory + "/index.html", gate::ToHtml(matrix)));
  if (globals.json) {
    std::cout << gate::ToTableJson(matrix);
    return {};
  }
  for (const gate::MatrixRow& row : matrix.rows) {
    std::cout << fmt::format("{:13} {:28} {}{}\n", gate::VerdictName(row.verdict), row.variant,
                             row.device,
                             row.decided_by.empty() ? "" : "  (" + row.decided_by + ")");
  }
  Say(globals, fmt::format("{} cells of {} records: {}/index.html, table.csv, table.json",
                           matrix.rows.size(), flags.records.size(), flags.directory));
  return {};
}

}  // namespace

void AddMatrix(Command app, Context& context) {
  Command command = app.AddCommand("matrix", "device by variant table and page from run records");
  auto flags = std::make_shared<MatrixFlags>();
  command.AddOption("RECORD", flags->records, "run records (run.jsonl) of any machines").Required();
  command.AddOption("-o,--output", flags->directory, "where index.html and the tables go")
      .ShowDefault();
  command.AddOption("--policy", flags->policy, "a policy file; Gate C when left out");
  command.Footer("Example: anemone matrix records/*.jsonl -o site");
  OnRun(command, context, [flags, &context] { return RunMatrix(*flags, context.globals); });
}

}  // namespace anemone::cli
