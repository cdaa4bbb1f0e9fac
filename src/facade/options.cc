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

// An instance is as visible as it says itself.
#define ANEMONE_PUBLIC __attribute__((visibility("default")))
template ANEMONE_PUBLIC Expected<LoadOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<ConvertOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CompressOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<PreprocessOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<SessionOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<GateOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<LabOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<MatrixOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CompareOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<EvaluateOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<BenchOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<PlacementOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<DoctorOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<InspectOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<ViewOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CompileOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<RunOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<ServeOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<DemoOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<FetchOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CacheListOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CacheClearOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CacheVerifyOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<ConvertFileOptions> ParseOptions(const std::string& json);
template ANEMONE_PUBLIC Expected<CompressFileOptions> ParseOptions(const std::string& json);

std::string OptionTablesJson() { return options::AllTablesJson(); }

}  // namespace anemone
