#include "facade/document.h"

namespace anemone::facade {

Json Document(const std::string& schema, int version) {
  return {{"schema", schema}, {"schema_version", version}};
}

std::string DocumentText(const Json& document) { return document.Dump({.indent = 2}); }

}  // namespace anemone::facade
