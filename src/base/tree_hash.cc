#include "base/tree_hash.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/mapped_file.h"
#include "base/sha256.h"

namespace anemone {

namespace fs = std::filesystem;
namespace {

// A model may be larger than memory: what is hashed leaves it.
void HashPieces(const Bytes& bytes, Sha256& hash) {
  constexpr size_t kPiece = size_t{4} << 20;
  for (size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const Bytes piece = bytes.Slice(begin, std::min(kPiece, bytes.size() - begin));
    hash.Update({piece.data(), piece.size()});
    ReleasePages(piece);
  }
}

}  // namespace

Result<TreeFacts> HashTree(const std::string& path) {
  TreeFacts facts;
  std::error_code error;
  if (fs::is_regular_file(path, error)) {
    ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
    facts.size_bytes = static_cast<int64_t>(bytes.size());
    Sha256 hash;
    HashPieces(bytes, hash);
    facts.sha256 = ToHex(hash.Finish());
    return facts;
  }
  if (!fs::is_directory(path, error)) return NotFound("the model does not exist").At(path);
  std::vector<std::string> files;
  fs::recursive_directory_iterator walk(path, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->is_regular_file(error)) {
      files.push_back(walk->path().lexically_relative(path).generic_string());
    }
  }
  if (error) return IoError("cannot read: {}", error.message()).At(path);
  std::sort(files.begin(), files.end());
  Sha256 hash;
  for (const std::string& file : files) {
    ANEMONE_ASSIGN(const Bytes bytes, MapFile((fs::path(path) / file).string()));
    hash.Update(file + '\0' + std::to_string(bytes.size()) + '\0');
    HashPieces(bytes, hash);
    facts.size_bytes += static_cast<int64_t>(bytes.size());
  }
  facts.sha256 = ToHex(hash.Finish());
  return facts;
}

}  // namespace anemone
