#include "acquire/pins.h"

#include <cstdlib>
#include <filesystem>

#include "acquire/path_lock.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace anemone::acquire {
namespace {

constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr std::string_view kLockSchema = "anemone.lock";

}  // namespace

std::string DefaultLockFile() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::string own = variable("ANEMONE_LOCK_FILE");
  if (!own.empty()) return own;
  const std::string xdg = variable("XDG_STATE_HOME");
  if (xdg.starts_with("/")) return xdg + "/anemone/weights.lock.json";
  const std::string home = variable("HOME");
  const std::string base =
      home.empty() ? std::filesystem::temp_directory_path().string() : home + "/.local/state";
  return base + "/anemone/weights.lock.json";
}

Result<std::map<std::string, std::string>> ReadPins(const std::string& path) {
  std::map<std::string, std::string> pins;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return pins;
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  const std::string_view text = bytes.text();
  const Json json = bytes.size() <= kMaxBytes ? ParseJsonOrNull(text) : Json();
  const bool whole = json.is_object() && json.contains("schema") && json["schema"] == kLockSchema &&
                     json.contains("sha256") && json["sha256"].is_object();
  if (!whole) {
    return InvalidInput("this is not an anemone lock file")
        .At(path)
        .Advise("restore it, or remove it to record the digests again");
  }
  for (const auto& [url, digest] : json["sha256"].items()) {
    const std::string value = digest.is_text() ? digest.text() : "";
    if (value.size() != 64 || value.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return InvalidInput("the digest of '{}' is not 64 hexadecimal digits", url).At(path);
    }
    pins[url] = value;
  }
  return pins;
}

Status AddPin(const std::string& path, const std::string& url, const std::string& sha256) {
  ANEMONE_ASSIGN(const PathLock lock, PathLock::Acquire(path + ".writing"));
  ANEMONE_ASSIGN(auto pins, ReadPins(path));
  const auto [at, added] = pins.emplace(url, sha256);
  if (!added && at->second == sha256) return {};
  if (!added) {
    return InvalidInput("'{}' had the SHA-256 {} at its first use but has {} now", url, at->second,
                        sha256)
        .At(path)
        .Advise(
            "if the publisher replaced the file on purpose, remove its line from the lock file");
  }
  Json json;
  json["schema"] = kLockSchema;
  json["schema_version"] = 1;
  Json& digests = json["sha256"] = Json::Object();
  for (const auto& [pinned, digest] : pins) digests[pinned] = digest;
  return WriteAtomically(path, json.Dump({.indent = 2}) + "\n");
}

}  // namespace anemone::acquire
