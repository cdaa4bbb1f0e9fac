// The configuration as text. Reads coremltools' OptimizationConfig unchanged (from_dict and
// from_yaml: JSON or YAML with config_type, global_config, op_type_configs, op_name_configs), and
// our own document, which holds several such steps and their context. Thread rules: pure functions.
// Errors: kUsage for text that is not JSON or YAML, an unknown key, a value of the wrong kind or
// out of range, each with its place.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "compress/configuration.h"

namespace anemone::compress {

// "schema" of our own document.
inline constexpr std::string_view kConfigurationSchema = "anemone.compress.configuration";

Result<Configuration> ParseConfiguration(std::string_view text);
Result<Configuration> ReadConfiguration(const std::string& path);

// Our document ("anemone.compress.configuration"), which ParseConfiguration reads back to the same
// value.
std::string ConfigurationJson(const Configuration& configuration);

}  // namespace anemone::compress
