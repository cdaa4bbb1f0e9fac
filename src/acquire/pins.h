// The lock file: SHA-256 digests of files whose publisher states none, recorded at first use, so
// that the second fetch must bring the same bytes. JSON, suited to version control. By default it
// is outside the cache, so that clearing the cache forgets nothing: ANEMONE_LOCK_FILE, or
// $XDG_STATE_HOME/anemone/weights.lock.json (~/.local/state/...). Thread rules: any number of
// processes; changes take a lock and replace the file as a whole. Errors: kIo; kInvalidInput with
// the file's name when it is damaged.
#pragma once

#include <map>
#include <string>

#include "base/status.h"

namespace anemone::acquire {

std::string DefaultLockFile();

// Digests by URL; empty when the file does not exist.
Result<std::map<std::string, std::string>> ReadPins(const std::string& path);
// Adds one; an error when a different digest is already recorded for `url`.
Status AddPin(const std::string& path, const std::string& url, const std::string& sha256);

}  // namespace anemone::acquire
