#include "facade/document.h"

#include <fmt/format.h>

namespace anemone::facade {

Json Document(const std::string& schema, int version) {
  return {{"schema", schema}, {"schema_version", version}};
}

std::string DocumentText(const Json& document) { return document.Dump({.indent = 2}); }

std::string SizeText(int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB ({:.1f} KiB)", size / 1e3, size / 1024);
  return fmt::format("{:.1f} MB ({:.1f} MiB)", size / 1e6, size / 1048576);
}

}  // namespace anemone::facade
