#include "lab/package_facts.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/mapped_file.h"
#include "base/sha256.h"

namespace anemone::lab {

namespace fs = std::filesystem;

Result<PackageFacts> MeasurePackage(const std::string& path) {
  PackageFacts facts;
  Sha256 hash;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
    facts.size_bytes = static_cast<int64_t>(bytes.size());
    facts.sha256 = ToHex(Sha256Of({bytes.data(), bytes.size()}));
    return facts;
  }
  std::vector<std::string> files;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error))
      files.push_back(fs::relative(it->path(), path, error).generic_string());
  }
  if (error) return IoError("cannot read: {}", error.message()).At(path);
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    ANEMONE_ASSIGN(const Bytes bytes, MapFile((fs::path(path) / file).string()));
    hash.Update(file);
    hash.Update(std::string_view("\0", 1));
    hash.Update(std::to_string(bytes.size()));
    hash.Update(std::string_view("\0", 1));
    hash.Update({bytes.data(), bytes.size()});
    facts.size_bytes += static_cast<int64_t>(bytes.size());
  }
  facts.sha256 = ToHex(hash.Finish());
  return facts;
}

}  // namespace anemone::lab
