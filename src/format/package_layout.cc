#include "format/package_layout.h"

#include <filesystem>
#include <system_error>

#include "base/mapped_file.h"
#include "format/manifest.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxManifestBytes = 1 << 20;
constexpr std::string_view kModelPathPrefix = "@model_path/";

Status CheckInside(std::string_view relative) {
  if (IsSafeRelativePath(relative)) return {};
  return InvalidInput("path '{}' must be relative and stay inside the package", relative);
}

// `folder`/`relative`, checked to be inside `folder` after symbolic links are followed.
Result<std::string> ResolveInside(const std::string& folder, std::string_view relative) {
  ANEMONE_TRY(CheckInside(relative));
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return NotFound("{}", error.message()).At(folder);
  const fs::path joined = fs::path(folder) / relative;
  const fs::path real = fs::canonical(joined, error);
  if (error) return NotFound("{}", error.message()).At(joined.string());
  const fs::path inside = real.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") {
    return InvalidInput("path '{}' leads out of the package through a symbolic link", relative)
        .At(folder);
  }
  return joined.string();
}

}  // namespace

Result<std::string> FindModelFile(const std::string& package) {
  const std::string manifest_path = (fs::path(package) / kManifestName).string();
  std::error_code error;
  if (!fs::exists(package, error)) return NotFound("no such file or directory").At(package);
  if (!fs::is_directory(package, error)) {
    return InvalidInput("an .mlpackage must be a directory, or a zip archive of one").At(package);
  }
  if (!fs::exists(manifest_path, error)) {
    return InvalidInput("an .mlpackage must hold a {}", kManifestName).At(package);
  }
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(manifest_path));
  ANEMONE_TRY(CheckManifestSize(bytes.size()).At(manifest_path));
  const std::string_view text = bytes.text();
  ANEMONE_ASSIGN(const Manifest manifest, ParseManifest(text).At(manifest_path));
  const std::string data = (fs::path(package) / kDataFolder).string();
  return ResolveInside(data, manifest.root()->path).At(manifest_path);
}

Status CheckManifestSize(size_t bytes) {
  if (bytes <= kMaxManifestBytes) return {};
  return InvalidInput("{} bytes exceed the limit of {} for a manifest", bytes, kMaxManifestBytes);
}

Result<std::string> RelativeModelPath(std::string_view reference) {
  if (reference.starts_with(kModelPathPrefix)) reference.remove_prefix(kModelPathPrefix.size());
  ANEMONE_TRY(CheckInside(reference));
  return std::string(reference);
}

Result<std::string> ResolveModelPath(const std::string& folder, std::string_view reference) {
  ANEMONE_ASSIGN(const std::string relative, RelativeModelPath(reference));
  return ResolveInside(folder, relative);
}

Status CheckReplaceable(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (error) return IoError("{}", error.message()).At(path);
  if (status.type() == fs::file_type::directory) {
    if (fs::is_empty(path, error) || fs::exists(fs::path(path) / kManifestName, error)) return {};
    return Usage("the directory exists and is not an .mlpackage; it is left alone")
        .At(path)
        .Advise("choose another output path, or remove the directory");
  }
  return Usage("the path exists and is not an .mlpackage; it is left alone")
      .At(path)
      .Advise("choose another output path, or remove the file");
}

}  // namespace anemone::format
