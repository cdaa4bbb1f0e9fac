#include "cli/doctor_float16.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "exec/session_inputs.h"
#include "facade/convert.h"
#include "lab/fidelity.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

// Whether it computes in half precision already.
bool UsesHalf(const ir::Function& function) {
  bool half = false;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (operation.is_const() || operation.is_constexpr()) return;
    for (const auto& output : operation.outputs())
      half |= output->type.is_tensor() && output->type.dtype() == DType::kFp16;
  });
  return half;
}

Result<lab::Samples> SamplesOf(const ir::Function& function, const Float16Flags& flags) {
  if (flags.images.empty()) return lab::Samples::Synthetic(function, flags.samples, 0);
  return lab::Samples::Folder(function, flags.images, {}, flags.samples);
}

}  // namespace

void AddFloat16Flags(Command command, Float16Flags& flags) {
  command.AddOption("--images", flags.images,
                    "folder of photographs or .npy files to run the model on; seeded inputs when "
                    "absent");
  command.AddOption("--samples", flags.samples, "how many inputs").ShowDefault().Range(1, 1000);
  command.AddFlag("--no-float16", flags.skip, "do not run the model");
}

Result<Json> Float16Json(const ir::Model& model, const Float16Flags& flags,
                         const Globals& globals) {
  if (flags.skip) return Json{{"skipped", "not asked for"}};
  auto single = std::make_shared<ir::Model>(facade::CloneModel(model));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*single, ""));
  const bool half = UsesHalf(*function);
  facade::ConvertOptions convert;
  convert.target = function->opset;
  lab::FidelityOptions options;
  options.threads = globals.threads;
  if (!half) {
    ANEMONE_TRY(facade::Convert(*single, convert));
    ANEMONE_ASSIGN(function, exec::ChooseFunction(*single, ""));
    options.to_float16 =
        [&](const std::vector<std::string>& keep) -> Result<std::shared_ptr<const ir::Model>> {
      auto copy = std::make_shared<ir::Model>(facade::CloneModel(*single));
      facade::ConvertOptions to_half = convert;
      to_half.precision = facade::Precision::kFloat16;
      to_half.keep_float32 = keep;
      ANEMONE_TRY(facade::Convert(*copy, to_half));
      return std::shared_ptr<const ir::Model>(std::move(copy));
    };
  }
  auto samples = SamplesOf(*function, flags);
  if (!samples.ok()) {
    // A model whose shapes nothing fixes is no fault of the user's; files that cannot be read are.
    if (!flags.images.empty()) return std::move(samples).error();
    return Json{{"skipped", samples.error().ToString()}};
  }
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("cpu"));
  const auto found = lab::DiagnoseFloat16(*backend, single, *samples, options);
  if (!found.ok()) {
    if (found.error().code() == ErrorCode::kUnsupported)
      return Json{{"skipped", found.error().ToString()}};
    return found.error();
  }
  return Json::parse(lab::FidelityJson(*found));
}

void PrintFloat16(const Json& float16) {
  if (float16.contains("skipped")) {
    std::cout << fmt::format("float16   not tried: {}\n", float16["skipped"].get<std::string>());
    return;
  }
  std::cout << fmt::format(
      "float16   {} on {}\n",
      float16["passed"].get<bool>() ? "within the limits" : "NOT within the limits",
      float16["inputs"].get<std::string>());
  if (float16["first_overflow"].is_string()) {
    std::cout << fmt::format("          first operator beyond 65504: '{}'\n",
                             float16["first_overflow"].get<std::string>());
  }
  if (float16["first_not_a_number"].is_string()) {
    std::cout << fmt::format("          first operator that gives no number: '{}'\n",
                             float16["first_not_a_number"].get<std::string>());
  }
  for (const Json& output : float16["outputs"]) {
    const auto figure = [&](const char* key) {
      return output[key].is_null() ? std::string("infinite")
                                   : fmt::format("{:.3g}", output[key].get<double>());
    };
    std::cout << fmt::format("          {}: L-inf {} of range, RMSE {} of range\n",
                             output["output"].get<std::string>(), figure("l_inf_relative"),
                             figure("rmse_relative"));
  }
  std::string names;
  for (const Json& name : float16["dominant"])
    names += (names.empty() ? "'" : ", '") + name.get<std::string>() + "'";
  if (!names.empty()) std::cout << "          most of the error: " << names << "\n";
  if (float16["passed"].get<bool>()) return;
  std::string keep;
  for (const Json& pattern : float16["keep_float32"])
    keep += fmt::format(" --keep-float32 '{}'", pattern.get<std::string>());
  std::cout << (keep.empty() ? "          no list of operators to keep in float32 was found\n"
                             : "          instead: convert with" + keep + "\n");
}

}  // namespace anemone::cli
