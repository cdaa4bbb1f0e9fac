#include "facade/seeded_file.h"

#include <filesystem>

#include "acquire/catalog.h"
#include "acquire/safetensors.h"
#include "base/atomic_file.h"
#include "base/sha256.h"
#include "zoo/zoo.h"

namespace anemone::facade {

Result<acquire::CacheRecord> MakeSeededFile(const std::string& name, uint64_t seed,
                                            const std::string& cache_root) {
  const acquire::CatalogEntry* entry = acquire::FindInCatalog(name);
  if (entry != nullptr && entry->import == "onnx") {
    return Usage("'{}' is its publisher's ONNX graph, which has no seeded weights", name)
        .Advise("leave out --weights");
  }
  const std::string architecture = entry != nullptr ? entry->architecture : name;
  ANEMONE_ASSIGN(auto tensors, zoo::SeededWeights(architecture, seed));
  ANEMONE_ASSIGN(
      const auto bytes,
      acquire::EncodeSafeTensors(std::move(tensors), {{"format", "pt"},
                                                      {zoo::kKeyArchitecture, architecture},
                                                      {zoo::kKeyWeights, "seeded"},
                                                      {zoo::kKeySeed, std::to_string(seed)}}));
  acquire::CacheRecord record;
  record.url = fmt::format("seeded:{}?seed={}", name, seed);
  record.name = name;
  record.file_name = fmt::format("{}.seed{}.safetensors", name, seed);
  record.sha256 = ToHex(Sha256Of(bytes));
  record.size_bytes = static_cast<int64_t>(bytes.size());
  record.fetched_from = "made on this machine";
  record.fetched_at = acquire::UtcNow();
  record.tool_version = ANEMONE_VERSION;

  const acquire::DownloadCache cache(cache_root.empty() ? acquire::DefaultCacheRoot() : cache_root);
  ANEMONE_ASSIGN(const auto lock, cache.Lock(record.url, {}));
  const std::filesystem::path folder = cache.PartialFolder(record.url);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(folder.string());
  const std::string path = (folder / "data").string();
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(bytes));
  ANEMONE_TRY(file.Commit());
  ANEMONE_TRY(cache.Add(path, name, &record));
  std::filesystem::remove(folder, error);
  return record;
}

}  // namespace anemone::facade
