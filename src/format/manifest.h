// Manifest.json of an .mlpackage: which files the package has, and which one is the model.
//
//   {"fileFormatVersion": "1.0.0",
//    "itemInfoEntries": {UUID: {"author", "description", "name", "path"}, ...},
//    "rootModelIdentifier": UUID}
//
// Paths are relative to the package's Data folder. Values; no thread rules to keep.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::format {

struct ManifestItem {
  std::string identifier;
  std::string author;
  std::string description;
  std::string name;
  std::string path;
};

struct Manifest {
  std::vector<ManifestItem> items;
  std::string root_identifier;

  // The item with the root identifier; there is one in each parsed manifest.
  const ManifestItem* root() const;
};

// Checks the version, that every entry is complete, identifiers are unique (they need not be UUIDs,
// which Core ML does not ask for either), paths are
// safe (IsSafeRelativePath) and the root is among the entries. Unknown keys are ignored.
// kInvalidInput names the key and the rule.
Result<Manifest> ParseManifest(std::string_view text);

// The text, with entries sorted by identifier and laid out as coremltools does.
std::string PrintManifest(const Manifest& manifest);

// Whether `path` is relative, not empty, and stays below where it starts: no "..", no empty or "."
// component, no backslash, no control character.
bool IsSafeRelativePath(std::string_view path);

}  // namespace anemone::format
