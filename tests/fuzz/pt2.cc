// A file of torch.export: the whole archive, or its program, which the archive is made anew for, so that
// its checksum holds.
#include "base/zip_reader.h"
#include "fuzz/target.h"
#include "ir/verifier.h"
#include "torch/import.h"
#include "torch/reader.h"
#include "unit/torch/archive_builder.h"

namespace anemone::fuzz {
namespace {

void TryArchive(const Bytes& archive) {
  const auto program = torch::ReadProgram(archive);
  if (!program.ok()) return;
  const auto model = torch::ImportProgram(*program);
  if (model.ok()) (void)ir::Verify(model->program).ok();
}

}  // namespace

std::vector<std::string> Seeds() {
  const auto archive = torch::testing::LinearArchive();
  return {archive.Program(), archive.Text()};
}

void Try(std::span<const std::byte> bytes) {
  const Bytes file = Copied(bytes);
  if (IsZip(file)) return TryArchive(file);
  const std::string archive = test::Zip({{"m/archive_format", "pt2"},
                                         {"m/archive_version", "0"},
                                         {"m/models/model.json", std::string(Text(bytes))}});
  TryArchive(Bytes::Copy(archive.data(), archive.size()));
}

}  // namespace anemone::fuzz
