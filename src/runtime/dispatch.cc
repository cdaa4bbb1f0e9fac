#include "runtime/dispatch.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "runtime/host.h"
#include "runtime/route.h"

namespace anemone::runtime {
namespace {

struct Candidate {
  std::string label;
  exec::LoadOptions load;
};

std::vector<Candidate> CandidatesFor(const exec::Backend& backend, const exec::LoadOptions& base) {
  std::vector<Candidate> candidates;
  if (backend.external()) {
    for (const ComputeUnits units : {ComputeUnits::kAll, ComputeUnits::kCpuAndNe,
                                     ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuOnly}) {
      exec::LoadOptions load = base;
      load.compute_units = units;
      candidates.push_back({std::string(ComputeUnitsName(units)), load});
    }
    return candidates;
  }
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int threads = 1;; threads = std::min(threads * 2, cores)) {
    exec::LoadOptions load = base;
    load.threads = threads;
    candidates.push_back({fmt::format("threads={}", threads), load});
    if (threads == cores) return candidates;
  }
}

std::string KeyOf(const exec::Backend& backend, const exec::LoadOptions& base,
                  const DispatchOptions& options) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}", options.model_hash, backend.name(), base.function,
                     static_cast<int>(base.numerics), HostChip(), HostOsBuild(), ANEMONE_VERSION);
}

std::string PathOf(const std::string& key, const DispatchOptions& options) {
  const std::string digest = ToHex(Sha256Of(std::as_bytes(std::span(key.data(), key.size()))));
  return options.state_dir + "/dispatch-" + digest.substr(0, 32) + ".json";
}

// Empty when the file is missing or unusable.
std::optional<DispatchChoice> Remembered(const std::string& path, const std::string& key,
                                         const std::vector<Candidate>& candidates) {
  const Result<Bytes> bytes = MapFile(path);
  if (!bytes.ok()) return std::nullopt;
  const auto* begin = reinterpret_cast<const char*>(bytes->data());
  const Json document = ParseJsonOrNull({begin, bytes->size()});
  if (!document.is_object() || document["schema"] != "anemone.dispatch" || document["key"] != key ||
      !document.contains("measured") || !document["measured"].is_array()) {
    return std::nullopt;
  }
  DispatchChoice choice;
  choice.remembered = true;
  for (const Json& row : document["measured"]) {
    if (!row.is_object() || !row.contains("label") || !row["label"].is_text()) {
      return std::nullopt;
    }
    DispatchMeasurement measurement;
    measurement.label = row["label"].text();
    if (row.contains("median_ns") && row["median_ns"].is_integer()) {
      measurement.median_ns = row["median_ns"].integer();
    }
    if (row.contains("error") && row["error"].is_text()) measurement.error = row["error"].text();
    choice.measured.push_back(std::move(measurement));
  }
  const Json& chosen = document["choice"];
  for (const Candidate& candidate : candidates) {
    if (!chosen.is_text() || candidate.label != chosen.text()) continue;
    choice.label = candidate.label;
    choice.load = candidate.load;
    return choice;
  }
  return std::nullopt;
}

Status Remember(const std::string& path, const std::string& key, const DispatchChoice& choice) {
  Json document;
  document["schema"] = "anemone.dispatch";
  document["schema_version"] = 1;
  document["key"] = key;
  document["choice"] = choice.label;
  document["measured"] = Json::Array();
  for (const DispatchMeasurement& measurement : choice.measured) {
    Json row;
    row["label"] = measurement.label;
    row["median_ns"] = measurement.median_ns ? Json(*measurement.median_ns) : Json();
    if (!measurement.error.empty()) row["error"] = measurement.error;
    document["measured"].push_back(std::move(row));
  }
  std::error_code ignored;  // Create reports errors
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  return WriteAtomically(path, document.Dump({.indent = 2}) + "\n");
}

struct Contender {
  std::unique_ptr<Route> route;
  std::vector<int64_t> durations_ns;
  std::string error;
};

}  // namespace

Result<DispatchChoice> ChooseDispatch(const exec::Backend& backend,
                                      std::shared_ptr<const ir::Model> model,
                                      const exec::LoadOptions& base,
                                      const DispatchOptions& options) {
  const std::vector<Candidate> candidates = CandidatesFor(backend, base);
  const bool keep = !options.state_dir.empty() && !options.model_hash.empty();
  const std::string key = KeyOf(backend, base, options);
  const std::string path = keep ? PathOf(key, options) : "";
  if (keep) {
    if (auto remembered = Remembered(path, key, candidates)) return std::move(*remembered);
  }

  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, base.function));
  ANEMONE_ASSIGN(const auto inputs, exec::SyntheticInputs(*model, *function, 1, 0));
  const std::vector<exec::BoundInput> bound = exec::BindAll(inputs);
  std::map<std::string, exec::Tensor> results;
  exec::State state;
  Route::Call call;
  call.inputs = bound;
  call.tensors = &inputs;
  call.results = &results;
  call.state = &state;

  std::vector<Contender> contenders(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    RouteOptions route;
    route.backend = &backend;
    route.load = candidates[i].load;
    route.max_lanes = 1;
    if (backend.external()) {
      route.load_timeout_ns = options.load_timeout_ns;
      route.predict_timeout_ns = options.predict_timeout_ns;
    }
    contenders[i].route = std::make_unique<Route>(model, std::move(route), nullptr);
  }
  using Steady = std::chrono::steady_clock;
  // Round 0 loads and warms up.
  for (int round = 0; round <= options.rounds; ++round) {
    for (Contender& contender : contenders) {
      const auto begin = Steady::now();
      while (contender.error.empty()) {
        const auto start = Steady::now();
        int64_t waited_ns = 0;
        const Status status = contender.route->Run(call, &waited_ns);
        const auto end = Steady::now();
        if (!status.ok()) {
          contender.error = status.error().ToString();
        } else if (round > 0) {
          contender.durations_ns.push_back(std::chrono::nanoseconds(end - start).count());
        }
        if (end - begin >= std::chrono::nanoseconds(options.round_ns)) break;
      }
    }
  }

  DispatchChoice choice;
  std::optional<int64_t> best;
  for (size_t i = 0; i < candidates.size(); ++i) {
    std::vector<int64_t>& durations = contenders[i].durations_ns;
    DispatchMeasurement measurement{candidates[i].label, std::nullopt, contenders[i].error};
    if (contenders[i].error.empty() && !durations.empty()) {
      const auto middle = durations.begin() + static_cast<std::ptrdiff_t>(durations.size() / 2);
      std::nth_element(durations.begin(), middle, durations.end());
      measurement.median_ns = *middle;
      if (!best || *middle < *best) {
        best = *middle;
        choice.label = candidates[i].label;
        choice.load = candidates[i].load;
      }
    }
    choice.measured.push_back(std::move(measurement));
  }
  if (!best) {
    return Unsupported("no setting of the {} backend runs the model: {}", backend.name(),
                       contenders.front().error);
  }
  // If it cannot be remembered, it is measured again next time.
  if (keep) (void)Remember(path, key, choice);
  return choice;
}

}  // namespace anemone::runtime
