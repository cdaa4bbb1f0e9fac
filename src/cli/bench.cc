#include <chrono>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "exec/session_inputs.h"
#include "lab/latency.h"
#include "lab/verify.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchFlags {
  ModelFlags model;
  BackendFlags backend;
  int64_t iterations = 100;
  double duration_s = 0;
  int64_t warmup = 10;
  std::vector<double> percentiles{50, 90, 99};
  std::string against;
  std::string export_profile;
  std::string export_times;
  uint64_t input_seed = 0;
};

int64_t Nanos(Clock::duration duration) { return std::chrono::nanoseconds(duration).count(); }

// One thing to time: a model on a backend.
struct Subject {
  std::string label;
  std::shared_ptr<ir::Model> model;
  const exec::Backend* backend = nullptr;
  std::unique_ptr<exec::Session> session;
  std::map<std::string, exec::Tensor> inputs;
  exec::State state;
  int64_t load_ns = 0;
  int64_t first_ns = 0;
  std::vector<int64_t> samples_ns = {};

  Result<int64_t> Time() {
    const auto start = Clock::now();
    auto outputs = session->Run(inputs, &state, nullptr);
    const int64_t duration = Nanos(Clock::now() - start);
    if (!outputs.ok()) return std::move(outputs).At(label).error();
    return duration;
  }
};

Status Prepare(Subject& subject, const exec::LoadOptions& options, uint64_t seed, int64_t warmup) {
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*subject.model, options.function));
  ANEMONE_ASSIGN(subject.inputs, exec::SyntheticInputs(*function, seed, 0));
  const auto start = Clock::now();
  ANEMONE_ASSIGN(subject.session, subject.backend->Load(subject.model, options));
  subject.load_ns = Nanos(Clock::now() - start);
  ANEMONE_ASSIGN(subject.first_ns, subject.Time());
  for (int64_t i = 0; i < warmup; ++i) ANEMONE_TRY(subject.Time().status());
  return {};
}

// Blocks in the order A B B A, so that slow drifts of the machine fall on both alike.
Status Measure(std::vector<Subject>& subjects, const BenchFlags& flags, Progress& progress) {
  const auto start = Clock::now();
  const int64_t block = std::max<int64_t>(1, flags.iterations / 8);
  const auto enough = [&] {
    if (flags.duration_s > 0)
      return Nanos(Clock::now() - start) >= static_cast<int64_t>(flags.duration_s * 1e9);
    return static_cast<int64_t>(subjects.back().samples_ns.size()) >= flags.iterations &&
           static_cast<int64_t>(subjects.front().samples_ns.size()) >= flags.iterations;
  };
  for (int64_t round = 0; !enough(); ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      Subject& subject = subjects[round % 2 == 0 ? i : subjects.size() - 1 - i];
      for (int64_t k = 0;
           k < block && !(flags.duration_s <= 0 &&
                          static_cast<int64_t>(subject.samples_ns.size()) >= flags.iterations);
           ++k) {
        ANEMONE_ASSIGN(const int64_t sample, subject.Time());
        subject.samples_ns.push_back(sample);
      }
    }
    progress.Count(static_cast<int64_t>(subjects[0].samples_ns.size()), flags.iterations,
                   "iterations");
  }
  return {};
}

Json SubjectJson(const Subject& subject, const BenchFlags& flags) {
  Json json;
  json["label"] = subject.label;
  json["backend"] = subject.backend->name();
  json["iterations"] = subject.samples_ns.size();
  json["load_ns"] = subject.load_ns;
  json["first_inference_ns"] = subject.first_ns;
  json["mean_ns"] = static_cast<int64_t>(lab::MeanNs(subject.samples_ns));
  json["min_ns"] = lab::PercentileNs(subject.samples_ns, 1e-9);
  for (const double percent : flags.percentiles) {
    json[fmt::format("p{:g}_ns", percent)] = lab::PercentileNs(subject.samples_ns, percent);
  }
  json["max_ns"] = lab::PercentileNs(subject.samples_ns, 100);
  json["working_memory_bytes"] = subject.session->working_memory_bytes();
  return json;
}

// Chrome's trace format: one complete event for each operator of one traced inference.
Status ExportProfile(Subject& subject, const std::string& path) {
  Json events = Json::array();
  exec::Tracer tracer;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    const ir::Operation* operation = event.operation;
    Json fused = Json::array();
    for (const ir::Operation* member : event.fused) fused.push_back(member->name());
    events.push_back(
        {{"name", operation == nullptr ? std::string(event.kernel) : operation->name()},
         {"cat", operation == nullptr ? std::string("layout") : operation->type()},
         {"ph", "X"},
         {"ts", static_cast<double>(event.begin_ns) * 1e-3},
         {"dur", static_cast<double>(event.duration_ns) * 1e-3},
         {"pid", 1},
         {"tid", 1},
         {"args", {{"kernel", event.kernel}, {"fused", std::move(fused)}}}});
  };
  ANEMONE_TRY(subject.session->Run(subject.inputs, &subject.state, &tracer).status());
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  const Json document{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}};
  ANEMONE_TRY(file.Write(document.dump() + "\n"));
  return file.Commit();
}

Status ExportTimes(const std::vector<Subject>& subjects, const std::string& path) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  for (const Subject& subject : subjects) {
    Json header = Document("anemone.run_record");
    header["label"] = subject.label;
    header["backend"] = subject.backend->name();
    header["load_ns"] = subject.load_ns;
    header["first_inference_ns"] = subject.first_ns;
    ANEMONE_TRY(file.Write(header.dump() + "\n"));
    for (size_t i = 0; i < subject.samples_ns.size(); ++i) {
      const Json line{
          {"label", subject.label}, {"inference", i}, {"duration_ns", subject.samples_ns[i]}};
      ANEMONE_TRY(file.Write(line.dump() + "\n"));
    }
  }
  return file.Commit();
}

Status RunBench(const BenchFlags& flags, const Globals& globals) {
  for (const double percent : flags.percentiles) {
    if (!(percent > 0 && percent <= 100)) return Usage("percentile {} is not in (0, 100]", percent);
  }
  ANEMONE_ASSIGN(const auto options, MakeLoadOptions(flags.backend, globals));
  std::vector<Subject> subjects(1);
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  ANEMONE_ASSIGN(subjects[0].backend, runtime::FindBackend(flags.backend.backend));
  subjects[0].label = flags.model.source.model;
  subjects[0].model = loaded.model;
  if (!flags.against.empty()) {
    Subject other;
    const auto backend = runtime::FindBackend(flags.against);
    if (backend.ok()) {
      other.backend = *backend;
      other.model = loaded.model;
      other.label = flags.model.source.model + " on " + flags.against;
    } else {
      ANEMONE_ASSIGN(const auto model, Load(flags.against));
      other.backend = subjects[0].backend;
      other.model = model.model;
      other.label = flags.against;
    }
    subjects.push_back(std::move(other));
  }
  Progress progress(globals);
  for (Subject& subject : subjects) {
    progress.Step("warming up " + subject.label);
    ANEMONE_TRY(Prepare(subject, options, flags.input_seed, flags.warmup).At(subject.label));
  }
  ANEMONE_TRY(Measure(subjects, flags, progress));
  if (!flags.export_profile.empty()) ANEMONE_TRY(ExportProfile(subjects[0], flags.export_profile));
  if (!flags.export_times.empty()) ANEMONE_TRY(ExportTimes(subjects, flags.export_times));
  Json document = Document("anemone.bench");
  document["threads"] = globals.threads;
  document["numerics"] = flags.backend.numerics;
  document["peak_resident_bytes"] = lab::PeakResidentBytes();
  Json list = Json::array();
  for (const Subject& subject : subjects) list.push_back(SubjectJson(subject, flags));
  document["results"] = std::move(list);
  if (subjects.size() == 2) {
    document["median_ratio"] = static_cast<double>(lab::PercentileNs(subjects[0].samples_ns, 50)) /
                               static_cast<double>(lab::PercentileNs(subjects[1].samples_ns, 50));
  }
  if (globals.json) {
    Print(document);
    return {};
  }
  for (const Subject& subject : subjects) {
    std::string line = fmt::format(
        "{} ({}): load {:.1f} ms, first {:.2f} ms, mean {:.3f} ms", subject.label,
        subject.backend->name(), static_cast<double>(subject.load_ns) * 1e-6,
        static_cast<double>(subject.first_ns) * 1e-6, lab::MeanNs(subject.samples_ns) * 1e-6);
    for (const double percent : flags.percentiles) {
      line +=
          fmt::format(", p{:g} {:.3f} ms", percent,
                      static_cast<double>(lab::PercentileNs(subject.samples_ns, percent)) * 1e-6);
    }
    std::cout << line << fmt::format(" over {} iterations\n", subject.samples_ns.size());
  }
  if (subjects.size() == 2) {
    std::cout << fmt::format("median ratio {:.3f}\n", document["median_ratio"].get<double>());
  }
  std::cout << "peak memory " << SizeText(lab::PeakResidentBytes()) << "\n";
  return {};
}

}  // namespace

void AddBench(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("bench", "latency percentiles, memory, profile by operator");
  auto flags = std::make_shared<BenchFlags>();
  AddModelFlags(*command, flags->model, false);
  command->add_option("--iterations", flags->iterations, "timed inferences")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--duration", flags->duration_s,
                      "seconds to measure, instead of --iterations");
  command->add_option("--warmup", flags->warmup, "inferences before the timed ones")
      ->capture_default_str();
  command->add_option("--percentile", flags->percentiles, "percentiles to report")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--against", flags->against,
                      "a MODEL or a backend to measure beside, in A B B A blocks");
  command->add_option("--export-profile", flags->export_profile,
                      "write one inference as a Chrome trace");
  command->add_option("--export-times", flags->export_times, "write every sample as JSON lines");
  command->add_option("--input-seed", flags->input_seed, "seed of the inputs");
  AddBackendFlags(*command, flags->backend);
  command->footer("Example: anemone bench model.mlpackage --iterations 1000 --against model.onnx");
  OnRun(*command, context, [flags, &context] { return RunBench(*flags, context.globals); });
}

}  // namespace anemone::cli
