#include "facade/package_manifest.h"

#include <filesystem>
#include <utility>

#include "base/tree_hash.h"
#include "facade/convert.h"
#include "lab/placement_facts.h"
#include "zoo/zoo.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

// Records the source of the weights: the model's metadata, or the given file.
void NoteWeights(const LoadedModel& original, SourceHash& source, lab::Manifest* manifest) {
  manifest->weights.clear();
  for (const auto& [key, value] : original.model->metadata.user_defined) {
    manifest->weights[key] = value;
  }
  const auto known = manifest->weights.find(zoo::kKeyWeights);
  manifest->weights_source = !original.weights.empty()          ? original.weights
                             : known != manifest->weights.end() ? known->second
                                                                : "file";
  // The same under short names, for scripts.
  for (const auto& [key, name] :
       {std::pair(zoo::kKeyUrl, "url"), std::pair(zoo::kKeySha256, "sha256"),
        std::pair(zoo::kKeyLicense, "license"), std::pair(zoo::kKeySeed, "seed")}) {
    const auto found = manifest->weights.find(key);
    if (found != manifest->weights.end()) manifest->weights[name] = std::string(found->second);
  }
  if (known != manifest->weights.end()) return;
  if (const std::string sha256 = source.Wait(); !sha256.empty()) {
    manifest->weights["file"] = fs::path(source.path()).filename().string();
    manifest->weights["sha256"] = sha256;
  }
}

}  // namespace

SourceHash::SourceHash(std::string path) : path_(std::move(path)) {
  std::error_code error;
  if (!fs::exists(path_, error)) return;
  thread_ = std::thread([this] {
    if (const auto facts = HashTree(path_); facts.ok()) sha256_ = facts->sha256;
  });
}

SourceHash::~SourceHash() {
  if (thread_.joinable()) thread_.join();
}

const std::string& SourceHash::Wait() {
  if (thread_.joinable()) thread_.join();
  return sha256_;
}

Status DescribePackage(SourceHash& source, const LoadedModel& original, const ir::Model& written,
                       const std::string& package, const TreeFacts* facts,
                       lab::Manifest* manifest) {
  manifest->model = original.name;
  manifest->tool_version = ANEMONE_VERSION;
  if (const ir::Function* main = written.program.main()) {
    manifest->deployment_target = DeploymentTargetName(main->opset);
  }
  if (const Status status = lab::AddPlacementFacts(written, manifest); !status.ok()) {
    manifest->ane_op_coverage_pct = manifest->expected_speedup_m1 = std::nullopt;
    manifest->expected_speedup_m2 = manifest->expected_speedup_m3 = std::nullopt;
  }
  TreeFacts found;
  if (facts == nullptr) {
    ANEMONE_ASSIGN(found, HashTree(package));
    facts = &found;
  }
  NoteWeights(original, source, manifest);
  manifest->package_size_bytes = facts->size_bytes;
  manifest->package_sha256 = facts->sha256;
  manifest->weight_bytes = 0;
  std::error_code error;
  const auto weight_size =
      fs::file_size(fs::path(package) / "Data/com.apple.CoreML/weights/weight.bin", error);
  if (!error) manifest->weight_bytes = static_cast<int64_t>(weight_size);
  return {};
}

void NoteTensors(const compress::Report& report, lab::Manifest* manifest) {
  for (const auto* records : {&report.compressed, &report.skipped}) {
    for (const compress::TensorRecord& tensor : *records) {
      manifest->tensors.push_back(
          {tensor.name, tensor.bytes_before, tensor.bytes_after, tensor.reason});
    }
  }
}

}  // namespace anemone::facade
