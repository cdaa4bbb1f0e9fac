// ParseOptions and OptionTablesJson of include/anemone/model.h.
#include "anemone/model.h"
#include "facade/arrays.h"
#include "options/json.h"

namespace anemone {

template <typename Options>
Expected<Options> ParseOptions(const std::string& json) {
  Options options;
  const Status read = options::ReadJson(json, options::TableOf(options));
  if (!read.ok()) return facade::ToFailure(read.error());
  return options;
}

template Expected<LoadOptions> ParseOptions(const std::string& json);
template Expected<ConvertOptions> ParseOptions(const std::string& json);
template Expected<CompressOptions> ParseOptions(const std::string& json);
template Expected<PreprocessOptions> ParseOptions(const std::string& json);
template Expected<SessionOptions> ParseOptions(const std::string& json);
template Expected<GateOptions> ParseOptions(const std::string& json);
template Expected<LabOptions> ParseOptions(const std::string& json);

std::string OptionTablesJson() { return options::AllTablesJson(); }

}  // namespace anemone
