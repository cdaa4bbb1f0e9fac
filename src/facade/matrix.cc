// RunMatrix: the table and the page of the device matrix, in a folder.
#include <filesystem>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "facade/gate_models.h"
#include "facade/tools.h"
#include "gate/matrix.h"

namespace anemone::facade {

Result<MatrixResult> RunMatrix(const MatrixOptions& options) {
  ANEMONE_ASSIGN(const gate::Policy policy, FindPolicy(options.policy));
  std::vector<gate::RecordFile> files;
  for (const std::string& path : options.record) {
    ANEMONE_ASSIGN(auto file, gate::ReadRecordFile(path));
    files.push_back(std::move(file));
  }
  const int64_t now = UnixNowNs();
  const gate::Matrix matrix = gate::MakeMatrix(policy, std::move(files), ANEMONE_VERSION, now);
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(options.output);
  MatrixResult result;
  result.json = gate::ToTableJson(matrix);
  ANEMONE_TRY(WriteAtomically(options.output + "/table.csv", gate::ToCsv(matrix)));
  ANEMONE_TRY(WriteAtomically(options.output + "/table.json", result.json));
  ANEMONE_TRY(WriteAtomically(options.output + "/index.html", gate::ToHtml(matrix)));
  for (const gate::MatrixRow& row : matrix.rows) {
    result.rows.push_back(
        {std::string(gate::VerdictName(row.verdict)), row.variant, row.device, row.decided_by});
  }
  return result;
}

}  // namespace anemone::facade
