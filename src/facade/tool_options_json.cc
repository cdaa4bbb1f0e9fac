// ParseToolOptions: the options of the tools from JSON objects, as Python hands them over.
#include <algorithm>
#include <climits>

#include "anemone/tools.h"
#include "base/json_reader.h"
#include "facade/arrays.h"

namespace anemone {
namespace {

void Read(JsonObject& object, ModelOptions& options) {
  object.Get("model", &options.model);
  object.Get("weights", &options.weights);
  object.Get("seed", &options.seed);
  const Json* shapes = object.Map("input_shapes");
  if (shapes == nullptr) return;
  for (const JsonMember& member : shapes->items()) {
    std::vector<int64_t>& shape = options.input_shapes[member.key];
    for (const Json& size : member.value) {
      if (!size.is_integer() || size.integer() <= 0) {
        object.Fail("input_shapes", "must hold lists of positive integers", *shapes);
        return;
      }
      shape.push_back(size.integer());
    }
  }
}

void ReadThree(JsonObject& object, const char* key, std::array<float, 3>& values) {
  const Json* list = object.Array(key);
  if (list == nullptr) return;
  if (list->size() != values.size() ||
      !std::all_of(list->begin(), list->end(), [](const Json& one) { return one.is_number(); })) {
    object.Fail(key, "must hold three numbers", *list);
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((*list)[i].number());
}

void Read(JsonObject& object, PreprocessOptions& options) {
  object.Get("crop", &options.crop);
  object.Get("resize", &options.resize, 0, INT_MAX);
  ReadThree(object, "mean", options.mean);
  ReadThree(object, "std", options.deviation);
  object.Get("interpolation", &options.interpolation);
}

template <typename Options>
void ReadBackend(JsonObject& object, Options& options) {
  object.Get("backend", &options.backend);
  object.Get("numerics", &options.numerics);
  object.Get("function", &options.function);
}

template <typename Options>
void ReadThreads(JsonObject& object, Options& options) {
  constexpr int kMostThreads = 1024;
  object.Get("threads", &options.threads, 0, kMostThreads);
}

void Read(JsonObject& object, MatrixOptions& options) {
  object.Get("record", &options.record);
  object.Get("output", &options.output);
  object.Get("policy", &options.policy);
}

void Read(JsonObject& object, CompareOptions& options) {
  object.Get("reference", &options.reference);
  object.Get("variant", &options.variant);
  object.Get("inputs", &options.inputs);
  object.Get("seed", &options.seed);
  object.Get("samples", &options.samples, 1, 100'000);
  object.Get("per_op", &options.per_op);
  object.Get("tolerance_linf", &options.tolerance_linf);
  object.Get("tolerance_rmse", &options.tolerance_rmse);
  object.Get("min_psnr", &options.min_psnr);
  object.Get("backend", &options.backend);
  object.Get("numerics", &options.numerics);
  ReadThreads(object, options);
}

void Read(JsonObject& object, EvaluateOptions& options) {
  Read(object, static_cast<ModelOptions&>(options));
  Read(object, options.preprocess);
  object.Get("images", &options.images);
  object.Get("labels", &options.labels);
  object.Get("reference", &options.reference);
  object.Get("limit", &options.limit, 0);
  object.Get("rows", &options.rows);
  ReadBackend(object, options);
  ReadThreads(object, options);
}

void Read(JsonObject& object, BenchOptions& options) {
  Read(object, static_cast<ModelOptions&>(options));
  ReadBackend(object, options);
  object.Get("compute_units", &options.compute_units);
  object.Get("iterations", &options.iterations, 1);
  object.Get("duration", &options.duration, 0);
  object.Get("warmup", &options.warmup, 0);
  object.Get("warmup_time", &options.warmup_time, 0);
  if (const Json* list = object.Array("percentile")) {
    options.percentile.clear();
    for (const Json& one : *list) {
      if (!one.is_number()) object.Fail("percentile", "must hold numbers", *list);
      options.percentile.push_back(one.number());
    }
  }
  object.Get("against", &options.against);
  object.Get("export_profile", &options.export_profile);
  object.Get("export_times", &options.export_times);
  object.Get("input_seed", &options.input_seed);
  ReadThreads(object, options);
}

void Read(JsonObject& object, PlacementOptions& options) {
  Read(object, static_cast<ModelOptions&>(options));
  object.Get("reports", &options.reports);
  object.Get("function", &options.function);
  object.Get("chip", &options.chip);
  object.Get("compute_units", &options.compute_units);
}

void Read(JsonObject& object, DoctorOptions& options) {
  Read(object, static_cast<ModelOptions&>(options));
  object.Get("chip", &options.chip);
  object.Get("images", &options.images);
  object.Get("samples", &options.samples, 1, 1000);
  object.Get("no_float16", &options.no_float16);
  ReadThreads(object, options);
}

void Read(JsonObject& object, CompileOptions& options) {
  Read(object, static_cast<ModelOptions&>(options));
  object.Get("output", &options.output);
}

template <typename Options>
Expected<Options> Parse(const std::string& json) {
  JsonDocument document(json, "a set of options");
  Options options;
  {
    JsonObject object = document.root();
    Read(object, options);
  }
  const Status status = document.status(ErrorCode::kUsage, "options");
  if (!status.ok()) return facade::ToFailure(status.error());
  return options;
}

}  // namespace

template <>
Expected<MatrixOptions> ParseToolOptions(const std::string& json) {
  return Parse<MatrixOptions>(json);
}
template <>
Expected<CompareOptions> ParseToolOptions(const std::string& json) {
  return Parse<CompareOptions>(json);
}
template <>
Expected<EvaluateOptions> ParseToolOptions(const std::string& json) {
  return Parse<EvaluateOptions>(json);
}
template <>
Expected<BenchOptions> ParseToolOptions(const std::string& json) {
  return Parse<BenchOptions>(json);
}
template <>
Expected<PlacementOptions> ParseToolOptions(const std::string& json) {
  return Parse<PlacementOptions>(json);
}
template <>
Expected<DoctorOptions> ParseToolOptions(const std::string& json) {
  return Parse<DoctorOptions>(json);
}
template <>
Expected<CompileOptions> ParseToolOptions(const std::string& json) {
  return Parse<CompileOptions>(json);
}

}  // namespace anemone
