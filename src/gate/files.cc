// Examines a package and its manifest.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "base/tree_hash.h"
#include "gate/live.h"
#include "lab/manifest.h"

namespace anemone::gate {

FilesEvidence LookAtFiles(const std::string& package, const std::vector<std::string>& wanted) {
  FilesEvidence files;
  files.manifest_path = lab::ManifestPathOf(package);
  std::error_code ignored;
  if (!std::filesystem::exists(files.manifest_path, ignored)) {
    files.problem = "there is no manifest";
    return files;
  }
  const auto keys = lab::ReadManifest(files.manifest_path);
  if (!keys.ok()) {
    files.problem = keys.error().ToString();
    return files;
  }
  const auto facts = HashTree(package);
  if (!facts.ok()) {
    files.problem = facts.error().ToString();
    return files;
  }
  if (keys->package_sha256 != facts->sha256) {
    files.problem = "the manifest is about another package: its SHA-256 differs";
    return files;
  }
  std::ifstream stream(files.manifest_path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const Json json = ParseJsonOrNull(text);
  for (const std::string& key : wanted) {
    const Json* found = json.Find(key);
    if (found == nullptr) {
      files.problem = fmt::format("the manifest has no key '{}'", key);
      return files;
    }
    if (found->is_null()) files.unknown.push_back(key);
  }
  // Whether outputs were judged, or the variant was never verified.
  const Json& passed = json["passed"];
  if (json["parity"].is_array() && !json["parity"].empty() && passed.is_boolean()) {
    files.verified = passed.boolean();
  }
  return files;
}

}  // namespace anemone::gate
