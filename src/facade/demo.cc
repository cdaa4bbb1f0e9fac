// RunDemo: the catalog models, each as fp32, fp16 and int8 packages with manifests, each variant
// verified by running it beside the fp32 original; with the document "anemone.demo" and the page
// report.html.
#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/atomic_file.h"
#include "exec/function_inputs.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/convert_checked.h"
#include "facade/demo_page.h"
#include "facade/document.h"
#include "facade/output_comparison.h"
#include "facade/package_manifest.h"
#include "facade/save.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "lab/manifest.h"
#include "lab/ship.h"
#include "lab/verify.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

// int8 may take this much more than its plainest form.
constexpr double kInt8Room = 1.1;
// What the roundings learn from, and what decides which operators stay wide, are seeded inputs too,
// but never those that judge.
constexpr int64_t kTeachers = 8;
constexpr int64_t kDeciders = 4;
constexpr uint64_t kTeacherSeed = 1;
constexpr uint64_t kDeciderSeed = 2;

// The forms of a model, in the order of the table.
constexpr int kForms = 4;

struct Form {
  std::string name;       // "int8 per tensor"; file names have underscores
  std::string precision;  // what manifests and limits go by
  lab::ParityLimits limits;
  bool shipped = true;  // false: made for comparison
};
const Form kFp32{"fp32", "fp32", lab::kFp32Limits};
const Form kFp16{"fp16", "fp16", lab::kFp16Limits};
const Form kInt8{"int8", "int8", lab::kInt8Limits};
const Form kInt8PerTensor{"int8 per tensor", "int8", lab::kInt8Limits, false};

struct Made {
  std::shared_ptr<ir::Model> model;
  compress::Report report;  // of a compression
  std::vector<std::string> kept = {};
};

// Everything about one model of the catalog.
class ModelDemo {
 public:
  ModelDemo(const DemoOptions& options, const Hooks& hooks, const exec::Backend& backend,
            LoadedModel original)
      : options_(options), hooks_(hooks), backend_(backend), original_(std::move(original)) {
    verify_.samples = options.samples;
    verify_.threads = options.threads;
    verify_.cancelled = hooks.cancelled;
  }

  using Told = std::function<Status(const std::string& stage)>;

  // In the order of the table. `tell` hears of each stage.
  Status Run(const Told& tell, DemoResult* result, Json* manifests) {
    ANEMONE_TRY(tell("fp32"));
    ANEMONE_ASSIGN(const auto full, Converted("float32"));
    ANEMONE_TRY(Finish(kFp32, {full, {}}, result, manifests));
    ANEMONE_TRY(tell("fp16"));
    ANEMONE_ASSIGN(const auto half, Converted("float16"));
    ANEMONE_TRY(Finish(kFp16, {half, {}}, result, manifests));
    ANEMONE_TRY(tell("int8"));
    ANEMONE_ASSIGN(Made plain, PerTensor(*half));
    const auto room =
        static_cast<int64_t>(kInt8Room * static_cast<double>(plain.report.bytes_after));
    ANEMONE_ASSIGN(Made shipped, Shipped(half, room, tell));
    ANEMONE_TRY(Finish(kInt8, std::move(shipped), result, manifests));
    ANEMONE_TRY(tell("int8 per tensor"));
    return Finish(kInt8PerTensor, std::move(plain), result, manifests);
  }

 private:
  Result<std::shared_ptr<ir::Model>> Converted(const std::string& precision) const {
    auto model = std::make_shared<ir::Model>(CloneModel(*original_.model));
    ConvertOptions convert;
    convert.minimum_deployment_target = options_.minimum_deployment_target;
    convert.compute_precision = precision;
    ANEMONE_TRY(ConvertChecked(*model, convert));
    return model;
  }

  // One scale for each tensor: the plainest form, which every target from iOS16 on has. int8 weights
  // go with half-precision arithmetic: what the Neural Engine takes.
  Result<Made> PerTensor(const ir::Model& half) const {
    Made made{std::make_shared<ir::Model>(CloneModel(half)), {}};
    CompressOptions compress;
    compress.granularity = "per_tensor";
    compress.threads = options_.threads;
    ANEMONE_TRY(Compress(*made.model, compress, &made.report));
    return made;
  }

  // What the lab would ship.
  Result<Made> Shipped(std::shared_ptr<const ir::Model> half, int64_t room,
                       const Told& tell) const {
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*half, ""));
    ANEMONE_ASSIGN(auto teachers,
                   lab::Samples::Synthetic(*half, *function, kTeachers, kTeacherSeed));
    ANEMONE_ASSIGN(auto deciders,
                   lab::Samples::Synthetic(*half, *function, kDeciders, kDeciderSeed));
    ANEMONE_ASSIGN(
        const lab::LabSubject subject,
        lab::LabSubject::Make(
            original_.model, half, std::make_shared<const lab::Samples>(std::move(deciders)),
            backend_, options_.threads, std::make_shared<const lab::Samples>(std::move(teachers))));
    lab::ShipOptions ship;
    ship.max_weight_bytes = room;
    ship.threads = options_.threads;
    ship.cancelled = hooks_.cancelled;
    ship.progress = [&](const std::string& what) {
      // A stop is asked for through `cancelled`.
      static_cast<void>(tell("int8, " + what));
    };
    ANEMONE_ASSIGN(lab::Shipped shipped, lab::ShipInt8(subject, ship));
    return Made{std::move(shipped.model), std::move(shipped.report), std::move(shipped.kept)};
  }

  // Writes the package, judges what was written, and describes it.
  Status Finish(const Form& form, Made made, DemoResult* result, Json* manifests) const {
    std::string file = original_.name + "_" + form.name;
    std::ranges::replace(file, ' ', '_');
    const std::string stem = (fs::path(options_.models_dir) / file).string();
    const std::string package = stem + ".mlpackage";
    lab::Manifest manifest;
    manifest.precision = form.precision;
    NoteTensors(made.report, &manifest);
    ANEMONE_TRY(Save(*made.model, package));
    // What is verified is what was written, read back.
    ANEMONE_ASSIGN(const LoadedModel written, LoadModel(package));
    ANEMONE_TRY(Judge(written, form.limits, &manifest));
    SourceHash source(original_.name);
    ANEMONE_TRY(DescribePackage(source, original_, *written.model, package, nullptr, &manifest));
    ANEMONE_TRY(lab::WriteManifest(manifest, stem + ".manifest.json"));
    Note(form, package, made.kept, manifest, result);
    ANEMONE_ASSIGN(Json json, ParseJson(lab::ToJson(manifest)));
    json["form"] = form.name;
    json["shipped"] = form.shipped;
    json["kept_wide"] = made.kept;
    manifests->push_back(std::move(json));
    return {};
  }

  // Runs what was written beside the original; of a failure, finds the first operator that drifts.
  Status Judge(const LoadedModel& written, const lab::ParityLimits& limits,
               lab::Manifest* manifest) const {
    manifest->parity_inputs = lab::DescribeInputs(verify_);
    ANEMONE_ASSIGN(manifest->outputs,
                   lab::Verify(backend_, original_.model, written.model, limits, verify_));
    if (manifest->passed()) return {};
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*original_.model, ""));
    ANEMONE_ASSIGN(const auto inputs,
                   exec::SyntheticInputs(*original_.model, *function, verify_.seed, 0));
    ANEMONE_ASSIGN(const auto drifts, lab::CompareOperators(backend_, original_.model,
                                                            written.model, inputs, verify_));
    manifest->first_drift = lab::FirstDrift(drifts, limits);
    return {};
  }

  static void Note(const Form& form, const std::string& package,
                   const std::vector<std::string>& kept, const lab::Manifest& manifest,
                   DemoResult* result) {
    DemoResult::Variant row;
    row.model = manifest.model;
    row.precision = manifest.precision;
    row.form = form.name;
    row.shipped = form.shipped;
    row.package = package;
    row.package_size_bytes = manifest.package_size_bytes;
    row.limit_linf = form.limits.linf;
    row.limit_rmse = form.limits.rmse;
    for (const lab::OutputParity& output : manifest.outputs) row.outputs.push_back(ToRow(output));
    row.first_drift = manifest.first_drift;
    row.kept_wide = kept;
    row.passed = manifest.passed();
    if (!row.passed && row.shipped) ++result->missed;
    result->variants.push_back(std::move(row));
  }

  const DemoOptions& options_;
  const Hooks& hooks_;
  const exec::Backend& backend_;
  const LoadedModel original_;
  lab::VerifyOptions verify_;
};

}  // namespace

Result<DemoResult> RunDemo(const DemoOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  std::error_code error;
  fs::create_directories(options.models_dir, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(options.models_dir);
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("auto"));
  DemoResult result;
  Json list = Json::Array();
  const auto tell = [&](const std::string& stage) {
    Tell(hooks, stage, static_cast<int64_t>(result.variants.size()),
         static_cast<int64_t>(options.models.size()) * kForms);
    return CheckCancelled(hooks);
  };
  for (const std::string& name : options.models) {
    ANEMONE_TRY(tell("building " + name));
    ModelOptions source;
    source.model = name;
    source.weights = options.weights;
    source.seed = options.seed;
    ANEMONE_ASSIGN(LoadedModel original, LoadModel(source, options.minimum_deployment_target));
    ModelDemo demo(options, hooks, *backend, std::move(original));
    ANEMONE_TRY(
        demo.Run([&](const std::string& stage) { return tell(name + " " + stage); }, &result, &list)
            .At(name));
  }
  Json document = Document("anemone.demo");
  document["variants"] = std::move(list);
  document["missed"] = result.missed;
  result.json = DocumentText(document);
  result.page = (fs::path(options.models_dir) / "report.html").string();
  ANEMONE_TRY(WriteAtomically(result.page, DemoPage(result, options)));
  return result;
}

}  // namespace anemone::facade
