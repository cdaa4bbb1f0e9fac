#include "lab/samples.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>

#include "base/sha256.h"
#include "base/thread_pool.h"
#include "exec/synthetic_inputs.h"
#include "lab/input_files.h"

namespace anemone::lab {
namespace {

namespace fs = std::filesystem;

// All samples stay in memory, so that no variant waits for the disk.
constexpr int64_t kMaxBytes = int64_t{4} << 30;
constexpr size_t kErrorsNamed = 10;

Result<const ir::Value*> OnlyInput(const ir::Function& function) {
  if (function.inputs().size() != 1) {
    return Usage("the model has {} inputs, but files can feed only one", function.inputs().size())
        .Advise("leave out --images: the lab then uses seeded inputs");
  }
  const ir::Value* input = function.inputs()[0].get();
  if (!input->type.is_tensor() || !input->type.is_static()) {
    return Usage("the input '{}' is {}, but files need a static shape", input->name,
                 input->type.ToString());
  }
  return input;
}

Status CheckBudget(size_t count, const ir::Type& type) {
  const int64_t bytes = static_cast<int64_t>(count) * type.element_count().value_or(0) * 4;
  if (bytes <= kMaxBytes) return {};
  return Usage("{} samples take {} bytes of memory, but the limit is {}", count, bytes, kMaxBytes)
      .Advise("take fewer with --limit");
}

// Runs `prepare` for each index on all cores; names the first bad files.
template <typename Prepared>
Status ForAll(size_t count, const Prepared& prepare) {
  std::vector<Status> outcomes(count);
  ThreadPool::Shared(0)->ParallelFor(
      static_cast<int64_t>(count), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          outcomes[static_cast<size_t>(i)] = prepare(static_cast<size_t>(i));
      });
  std::string problems;
  size_t bad = 0;
  const Error* first = nullptr;
  for (const Status& outcome : outcomes) {
    if (outcome.ok()) continue;
    if (first == nullptr) first = &outcome.error();
    if (++bad > kErrorsNamed) continue;
    problems += (problems.empty() ? "" : "; ") + outcome.error().place();
    problems += (outcome.error().place().empty() ? "" : ": ") + outcome.error().message();
  }
  if (first == nullptr) return {};
  if (bad > kErrorsNamed) problems += fmt::format("; and {} more", bad - kErrorsNamed);
  return Error(first->code(),
               fmt::format("{} of {} files cannot be used: {}", bad, count, problems))
      .Advise(first->advice());
}

Status CheckImageInput(const ir::Value& input) {
  const ir::Shape& shape = input.type.shape();
  if (shape.size() == 4 && shape[0] == 1 && shape[1] == 3) return {};
  return Usage("images need an input [1, 3, height, width], but '{}' is {}", input.name,
               input.type.ToString())
      .Advise("give a folder of .npy files");
}

Status CheckNumbers(const std::map<std::string, exec::Tensor>& inputs) {
  for (const auto& [name, tensor] : inputs) {
    if (tensor.dtype() != DType::kFp32) continue;
    const std::span<const float> values(tensor.As<float>(), static_cast<size_t>(tensor.count()));
    if (std::ranges::any_of(values, [](float value) { return std::isnan(value); }))
      return InvalidInput("it holds NaN values");
  }
  return {};
}

}  // namespace

void Samples::Seal() {
  Sha256 sha;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    for (const auto& [name, tensor] : inputs_[i]) {
      sha.Update(fmt::format("{}|{}|{}|", name, DTypeName(tensor.dtype()),
                             ir::ShapeToString(tensor.shape())));
      sha.Update(std::as_bytes(
          std::span(static_cast<const char*>(tensor.view().data), tensor.size_bytes())));
    }
    if (!labels_.empty()) sha.Update(fmt::format("label {}|", labels_[i]));
  }
  sha256_ = ToHex(sha.Finish());
}

Result<Samples> Samples::Synthetic(const ir::Model& model, const ir::Function& function,
                                   int64_t count, uint64_t seed) {
  Samples samples;
  for (int64_t i = 0; i < count; ++i) {
    ANEMONE_ASSIGN(auto inputs, exec::SyntheticInputs(model, function, seed, static_cast<int>(i)));
    samples.inputs_.push_back(std::move(inputs));
    samples.names_.push_back(fmt::format("seed {} sample {}", seed, i));
  }
  samples.description_ = fmt::format("{} seeded standard-normal inputs (seed {})", count, seed);
  samples.Seal();
  return samples;
}

Result<Samples> Samples::Labeled(const ir::Function& function, const std::string& directory,
                                 const std::vector<LabeledImage>& images,
                                 const Preprocess& preprocess, int64_t limit) {
  ANEMONE_ASSIGN(const ir::Value* input, OnlyInput(function));
  ANEMONE_TRY(CheckImageInput(*input));
  const size_t count =
      limit > 0 ? std::min(images.size(), static_cast<size_t>(limit)) : images.size();
  if (count == 0) return InvalidInput("there are no images").At(directory);
  ANEMONE_TRY(CheckBudget(count, input->type));
  Samples samples;
  samples.inputs_.resize(count);
  ANEMONE_TRY(ForAll(count, [&](size_t i) -> Status {
    const std::string path = (fs::path(directory) / images[i].file).string();
    ANEMONE_ASSIGN(samples.inputs_[i][input->name],
                   PrepareImage(path, input->type.shape(), preprocess));
    return {};
  }));
  for (size_t i = 0; i < count; ++i) {
    samples.labels_.push_back(images[i].label);
    samples.names_.push_back(images[i].file);
  }
  samples.description_ = fmt::format("{} labeled images", count);
  samples.Seal();
  return samples;
}

Result<Samples> Samples::Folder(const ir::Function& function, const std::string& directory,
                                const Preprocess& preprocess, int64_t limit) {
  ANEMONE_ASSIGN(InputFiles opened, InputFiles::Open(directory, function, nullptr, preprocess));
  std::vector<std::string> images;
  std::vector<std::string> arrays;
  for (const std::string& file : opened.files()) {
    if (IsImageFile(file)) images.push_back(file);
    if (IsNpyFile(file)) arrays.push_back(file);
  }
  if (!images.empty() && !arrays.empty()) {
    return InvalidInput("the folder holds both {} images and {} .npy files", images.size(),
                        arrays.size())
        .At(directory)
        .Advise("keep only one kind in it");
  }
  const bool is_images = !images.empty();
  std::vector<std::string>& files = is_images ? images : arrays;
  if (files.empty()) {
    return InvalidInput("the folder has no .png, .jpg or .npy files").At(directory);
  }
  if (limit > 0 && files.size() > static_cast<size_t>(limit))
    files.resize(static_cast<size_t>(limit));
  ANEMONE_ASSIGN(const ir::Value* input, OnlyInput(function));
  if (is_images) ANEMONE_TRY(CheckImageInput(*input));
  ANEMONE_TRY(CheckBudget(files.size(), input->type));
  opened.Keep(files);
  Samples samples;
  samples.inputs_.resize(files.size());
  ANEMONE_TRY(ForAll(files.size(), [&](size_t i) -> Status {
    ANEMONE_ASSIGN(samples.inputs_[i], opened.Sample(static_cast<int64_t>(i)));
    return CheckNumbers(samples.inputs_[i]).At(files[i]);
  }));
  for (const std::string& file : files)
    samples.names_.push_back(opened.listed() ? file : fs::path(file).filename().string());
  samples.description_ =
      fmt::format("{} {} without labels", files.size(), is_images ? "images" : "arrays");
  samples.Seal();
  return samples;
}

Samples Samples::SetAside(int64_t every) {
  const std::string all = std::exchange(description_, {});
  Samples aside;
  Samples kept;
  for (int64_t i = 0; i < count(); ++i) {
    const auto at = static_cast<size_t>(i);
    Samples& to = i % every == every / 2 ? aside : kept;
    to.inputs_.push_back(std::move(inputs_[at]));
    to.names_.push_back(std::move(names_[at]));
    if (!labels_.empty()) to.labels_.push_back(labels_[at]);
  }
  aside.description_ = fmt::format("{} of {}", aside.count(), all);
  kept.description_ =
      fmt::format("{} of {}, the others set aside for calibration", kept.count(), all);
  aside.Seal();
  kept.Seal();
  *this = std::move(kept);
  return aside;
}

Samples Samples::Subset(int64_t wanted) const {
  if (wanted >= count()) return *this;
  Samples subset;
  for (int64_t i = 0; i < wanted; ++i) {
    const auto at = static_cast<size_t>(i * count() / wanted);
    subset.inputs_.push_back(inputs_[at]);
    subset.names_.push_back(names_[at]);
    if (!labels_.empty()) subset.labels_.push_back(labels_[at]);
  }
  subset.description_ = fmt::format("{} of {}", wanted, description_);
  subset.Seal();
  return subset;
}

}  // namespace anemone::lab
