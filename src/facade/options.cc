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
template Expected<MatrixOptions> ParseOptions(const std::string& json);
template Expected<CompareOptions> ParseOptions(const std::string& json);
template Expected<EvaluateOptions> ParseOptions(const std::string& json);
template Expected<BenchOptions> ParseOptions(const std::string& json);
template Expected<PlacementOptions> ParseOptions(const std::string& json);
template Expected<DoctorOptions> ParseOptions(const std::string& json);
template Expected<InspectOptions> ParseOptions(const std::string& json);
template Expected<CompileOptions> ParseOptions(const std::string& json);
template Expected<RunOptions> ParseOptions(const std::string& json);
template Expected<DemoOptions> ParseOptions(const std::string& json);
template Expected<FetchOptions> ParseOptions(const std::string& json);
template Expected<CacheListOptions> ParseOptions(const std::string& json);
template Expected<CacheClearOptions> ParseOptions(const std::string& json);
template Expected<CacheVerifyOptions> ParseOptions(const std::string& json);
template Expected<ConvertFileOptions> ParseOptions(const std::string& json);
template Expected<CompressFileOptions> ParseOptions(const std::string& json);

std::string OptionTablesJson() { return options::AllTablesJson(); }

}  // namespace anemone
