// Seeded weights as a file: the weights from which `--weights seeded` builds a network, written
// into the download cache as .safetensors under timm's names, for other tools to load. Needs no
// network. Thread rules: any thread and process. Errors: kUsage for a name that the zoo does not
// build; kIo.
#pragma once

#include <cstdint>
#include <string>

#include "acquire/cache.h"
#include "base/status.h"

namespace anemone::facade {

// The record's `url` is "seeded:NAME?seed=SEED", which no download can have; its license is empty.
// The same name and seed give the same bytes on every machine. `cache_root` empty: the default.
Result<acquire::CacheRecord> MakeSeededFile(const std::string& name, uint64_t seed,
                                            const std::string& cache_root);

}  // namespace anemone::facade
