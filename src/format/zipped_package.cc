#include "format/zipped_package.h"

#include <algorithm>
#include <vector>

#include "base/zip_reader.h"
#include "format/manifest.h"
#include "format/package_layout.h"

namespace anemone::format {
namespace {

constexpr uint64_t kMaxEntries = 10'000;
constexpr uint64_t kMaxInflatedBytes = uint64_t{4} << 30;
constexpr uint64_t kMaxInflatedRatio = 200;
constexpr uint64_t kAlwaysAllowedBytes = uint64_t{64} << 20;
constexpr const char* kUnzip = "unzip the archive, and name the .mlpackage in it";

uint64_t InflatedLimit(uint64_t archive_bytes) {
  if (archive_bytes > kMaxInflatedBytes / kMaxInflatedRatio) return kMaxInflatedBytes;
  return std::max(kAlwaysAllowedBytes, archive_bytes * kMaxInflatedRatio);
}

std::string_view LastComponent(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsOfMacOs(std::string_view path) {
  return path.starts_with("__MACOSX/") || LastComponent(path) == ".DS_Store";
}

// "a/NAME.mlpackage/" of "a/NAME.mlpackage/Manifest.json"; empty for a manifest at the top.
Result<std::string> FindRoot(const std::map<std::string, Bytes>& files) {
  std::vector<std::string> all, roots;
  for (const auto& [path, data] : files) {
    if (LastComponent(path) == kManifestName) {
      all.push_back(path.substr(0, path.size() - kManifestName.size()));
    }
  }
  // Outer folders first: a manifest inside a package belongs to something else.
  std::ranges::stable_sort(all, {}, &std::string::size);
  for (const std::string& root : all) {
    const bool nested = std::ranges::any_of(
        roots, [&](const std::string& outer) { return root.starts_with(outer); });
    if (!nested) roots.push_back(root);
  }
  if (roots.empty()) {
    return InvalidInput("the archive holds no .mlpackage: no entry is named {}", kManifestName)
        .Advise("zip the folder NAME.mlpackage; other kinds of models are read from files");
  }
  if (roots.size() > 1) {
    return InvalidInput("the archive holds {} packages: '{}', '{}'{}", roots.size(), roots[0],
                        roots[1], roots.size() > 2 ? " and more" : "")
        .Advise("unzip the archive, and name one of them");
  }
  return roots.front();
}

}  // namespace

Result<std::shared_ptr<const ZippedPackage>> ZippedPackage::Open(const Bytes& archive) {
  auto entries = ReadZip(archive, {kMaxEntries, InflatedLimit(archive.size())});
  if (!entries.ok()) return std::move(entries).error().Advise(kUnzip);
  auto package = std::make_shared<ZippedPackage>();
  for (ZipEntry& entry : *entries) {
    if (IsOfMacOs(entry.name)) continue;
    const std::string place = fmt::format("entry '{}'", entry.name);
    if (!IsSafeRelativePath(entry.name)) {
      return InvalidInput("the path must be relative and stay inside the archive").At(place);
    }
    if (entry.link) {
      return Unsupported("the entry is a symbolic link").At(place).Advise(kUnzip);
    }
    // In an archive nothing is aligned.
    package->files_.emplace(entry.name, entry.data.AtAnyAddress());
  }
  ANEMONE_ASSIGN(const std::string root, FindRoot(package->files_));
  const Bytes& bytes = package->files_.at(root + std::string(kManifestName));
  ANEMONE_TRY(CheckManifestSize(bytes.size()).At(root + std::string(kManifestName)));
  const std::string_view text = bytes.text();
  ANEMONE_ASSIGN(const Manifest manifest,
                 ParseManifest(text).At(root + std::string(kManifestName)));
  package->model_path_ = fmt::format("{}{}/{}", root, kDataFolder, manifest.root()->path);
  const auto model = package->files_.find(package->model_path_);
  if (model == package->files_.end()) {
    return NotFound("the archive lacks the model file that its {} names", kManifestName)
        .At(package->model_path_);
  }
  package->model_ = model->second;
  return std::shared_ptr<const ZippedPackage>(std::move(package));
}

Result<Bytes> ZippedPackage::Find(std::string_view reference) const {
  ANEMONE_ASSIGN(const std::string relative, RelativeModelPath(reference));
  const size_t folder = model_path_.rfind('/') + 1;
  const std::string path = model_path_.substr(0, folder) + relative;
  const auto found = files_.find(path);
  if (found == files_.end()) return NotFound("the archive has no such entry").At(path);
  return found->second;
}

}  // namespace anemone::format
