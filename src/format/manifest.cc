#include "format/manifest.h"

#include <algorithm>

#include "base/json.h"

namespace anemone::format {
namespace {

constexpr std::string_view kVersion = "1.0.0";
constexpr int kMaxDepth = 16;  // a manifest is three levels deep

// Refuses keys that occur twice (readers differ on which one counts) and deep nesting.
Result<Json> ParseStrictly(std::string_view text) {
  std::vector<std::string> repeated;
  auto json = ParseJson(text, {.max_depth = kMaxDepth, .repeated = &repeated});
  if (!json.ok()) return InvalidInput("a manifest must be JSON: {}", json.error().message());
  if (!repeated.empty()) return InvalidInput("key '{}' occurs twice", repeated.front());
  return json;
}

Result<std::string> StringAt(const Json& object, const char* key) {
  const Json* it = object.Find(key);
  if (it == nullptr) return InvalidInput("key '{}' is missing", key);
  if (!it->is_text()) return InvalidInput("key '{}' must hold a string", key);
  return it->text();
}

Result<ManifestItem> ParseItem(const std::string& identifier, const Json& entry) {
  if (identifier.empty()) return InvalidInput("the identifier is empty");
  if (!entry.is_object()) return InvalidInput("the entry must be an object");
  ManifestItem item;
  item.identifier = identifier;
  ANEMONE_ASSIGN(item.author, StringAt(entry, "author"));
  ANEMONE_ASSIGN(item.description, StringAt(entry, "description"));
  ANEMONE_ASSIGN(item.name, StringAt(entry, "name"));
  ANEMONE_ASSIGN(item.path, StringAt(entry, "path"));
  if (!IsSafeRelativePath(item.path)) {
    return InvalidInput("path '{}' must be relative and stay inside the package", item.path);
  }
  return item;
}

Result<Manifest> FromJson(const Json& json) {
  if (!json.is_object()) return InvalidInput("the manifest must be a JSON object");
  ANEMONE_ASSIGN(const std::string version, StringAt(json, "fileFormatVersion"));
  if (version != kVersion) {
    return InvalidInput("fileFormatVersion '{}' is not known; '{}' is expected", version, kVersion);
  }
  Manifest manifest;
  ANEMONE_ASSIGN(manifest.root_identifier, StringAt(json, "rootModelIdentifier"));
  const Json* entries = json.Find("itemInfoEntries");
  if (entries == nullptr || !entries->is_object()) {
    return InvalidInput("key 'itemInfoEntries' must hold an object");
  }
  for (const auto& [identifier, entry] : entries->items()) {
    ANEMONE_ASSIGN(ManifestItem item,
                   ParseItem(identifier, entry).At(fmt::format("item '{}'", identifier)));
    manifest.items.push_back(std::move(item));
  }
  if (manifest.root() == nullptr) {
    return InvalidInput("rootModelIdentifier '{}' is not among the items",
                        manifest.root_identifier);
  }
  return manifest;
}

}  // namespace

const ManifestItem* Manifest::root() const {
  const auto it = std::ranges::find(items, root_identifier, &ManifestItem::identifier);
  return it == items.end() ? nullptr : &*it;
}

Result<Manifest> ParseManifest(std::string_view text) {
  ANEMONE_ASSIGN(const Json json, ParseStrictly(text));
  return FromJson(json);
}

std::string PrintManifest(const Manifest& manifest) {
  Json entries = Json::Object();
  for (const ManifestItem& item : manifest.items) {
    entries[item.identifier] = {{"author", item.author},
                                {"description", item.description},
                                {"name", item.name},
                                {"path", item.path}};
  }
  const Json json = {{"fileFormatVersion", kVersion},
                     {"itemInfoEntries", entries},
                     {"rootModelIdentifier", manifest.root_identifier}};
  // Invalid UTF-8 is replaced; otherwise dump() would throw.
  return json.Dump({.indent = 4, .sort_keys = true}) + "\n";
}

bool IsSafeRelativePath(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  for (const char c : path) {
    if (c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return false;  // ended in a slash
}

}  // namespace anemone::format
