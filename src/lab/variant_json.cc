// A variant's result as JSON, and back.
#include <cmath>
#include <limits>

#include "base/json_reader.h"
#include "lab/parity_json.h"
#include "lab/variant.h"

namespace anemone::lab {
namespace {

Json EstimateJson(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", FiniteOrNull(estimate->value)},
          {"low", FiniteOrNull(estimate->low)},
          {"high", FiniteOrNull(estimate->high)},
          {"source", "estimated"}};
}

std::optional<Estimate> ReadEstimate(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  return Estimate{json["value"].number(), json["low"].number(), json["high"].number()};
}

std::optional<int64_t> ReadCount(const Json& json, const char* key) {
  return json[key].is_integer() ? std::optional(json[key].integer()) : std::nullopt;
}

double ReadNumber(const Json& json, const char* key, double missing = 0) {
  return json[key].is_number() ? json[key].number() : missing;
}

Json TensorJson(const compress::TensorRecord& tensor) {
  Json json{{"name", tensor.name},
            {"operator", tensor.op},
            {"shape", tensor.shape},
            {"dtype", DTypeName(tensor.dtype)},
            {"bytes_before", tensor.bytes_before},
            {"bytes_after", tensor.bytes_after},
            {"max_error", FiniteOrNull(tensor.max_error)},
            {"rms_error", FiniteOrNull(tensor.rms_error)}};
  json["form"] = tensor.form.empty() ? Json(nullptr) : Json(tensor.form);
  json["skipped"] = tensor.reason.empty() ? Json(nullptr) : Json(tensor.reason);
  return json;
}

compress::TensorRecord ReadTensor(const Json& json) {
  compress::TensorRecord tensor;
  tensor.name = json["name"].text();
  tensor.op = json["operator"].text();
  for (const Json& size : json["shape"]) tensor.shape.push_back(size.integer());
  tensor.dtype = DTypeFromName(json["dtype"].text()).value_or(DType::kInvalid);
  tensor.form = json["form"].text();
  tensor.reason = json["skipped"].text();
  tensor.bytes_before = json["bytes_before"].integer();
  tensor.bytes_after = json["bytes_after"].integer();
  tensor.max_error = ReadNumber(json, "max_error");
  tensor.rms_error = ReadNumber(json, "rms_error");
  return tensor;
}

Parity ReadParity(const Json& json) {
  Parity parity;
  parity.non_finite = json["non_finite"].integer();
  parity.reference_non_finite = json["reference_non_finite"].integer();
  // Null stands for an infinite value: an unbounded error, or a ratio to zero error.
  const double ratio = parity.non_finite > 0 ? -kInfinity : kInfinity;
  parity.linf = ReadNumber(json, "l_inf", kInfinity);
  parity.rmse = ReadNumber(json, "rmse", kInfinity);
  parity.reference_range = ReadNumber(json, "reference_range");
  parity.linf_relative = ReadNumber(json, "l_inf_relative", kInfinity);
  parity.rmse_relative = ReadNumber(json, "rmse_relative", kInfinity);
  parity.psnr_db = ReadNumber(json, "psnr_db", ratio);
  parity.snr_db = ReadNumber(json, "snr_db", ratio);
  parity.cosine = ReadNumber(json, "cosine");
  parity.distribution = json.contains("kl_divergence") && json["kl_divergence"].is_number();
  parity.kl_divergence = ReadNumber(json, "kl_divergence");
  parity.rows = json["rows"].integer();
  parity.kl_softmax = ReadNumber(json, "kl_softmax", parity.rows > 0 ? kInfinity : 0);
  parity.top1_agree = json["top1_agree"].integer();
  parity.top5_agree = json["top5_agree"].integer();
  parity.top1_flips = ReadCount(json, "top1_flips_beyond_noise").value_or(0);
  parity.top5_flips = ReadCount(json, "top5_flips_beyond_noise").value_or(0);
  parity.samples = json["samples"].integer();
  parity.elements = json["elements"].integer();
  return parity;
}

}  // namespace

std::string ResultJson(const VariantResult& result) {
  Json json;
  json["package_bytes"] = result.package_bytes;
  json["weight_bytes"] = result.weight_bytes;
  json["samples"] = result.samples;
  json["top1"] = OrNull(result.top1);
  json["top5"] = OrNull(result.top5);
  json["agreement"] = OrNull(result.agreement);
  json["loss"] = FiniteOrNull(result.loss);
  Json outputs = Json::Array();
  for (const OutputParity& output : result.outputs) {
    Json row{{"output", output.output}};
    row.Update(ParityJson(output.parity));
    row["rows"] = output.parity.rows;
    row["top1_agree"] = output.parity.top1_agree;
    row["top5_agree"] = output.parity.top5_agree;
    row["limit_l_inf"] = output.limits.linf;
    row["limit_rmse"] = output.limits.rmse;
    row["judged"] = output.judged.relative ? "relative" : "absolute";
    row["passed"] = output.judged.passed;
    outputs.push_back(std::move(row));
  }
  json["outputs"] = std::move(outputs);
  Json chips = Json::Array();
  for (const ChipEstimate& chip : result.chips) {
    chips.push_back({{"chip", chip.chip},
                     {"latency_ms", EstimateJson(chip.latency_ms)},
                     {"ane_op_coverage_pct", EstimateJson(chip.ane_op_coverage_pct)}});
  }
  json["chips"] = std::move(chips);
  Json tensors = Json::Array();
  for (const auto& tensor : result.tensors) tensors.push_back(TensorJson(tensor));
  json["tensors"] = std::move(tensors);
  return json.Dump();
}

Result<VariantResult> ParseResult(const std::string& text) {
  JsonDocument document(text, "a result", {.all_required = true, .unknown_allowed = true});
  VariantResult result;
  {
    JsonObject top = document.root();
    const Json& json = document.json();
    // A database may have been edited by hand.
    top.Get("package_bytes", &result.package_bytes);
    top.Get("weight_bytes", &result.weight_bytes);
    top.Get("samples", &result.samples);
    result.top1 = ReadCount(json, "top1");
    result.top5 = ReadCount(json, "top5");
    result.agreement = ReadCount(json, "agreement");
    result.loss = ReadNumber(json, "loss", std::numeric_limits<double>::infinity());
    top.Array("outputs");
    for (const Json& row : json["outputs"]) {
      JsonObject object(row, fmt::format("outputs[{}]", result.outputs.size()), top);
      OutputParity output;
      object.Get("output", &output.output);
      output.parity = ReadParity(row);
      output.limits = {row["limit_l_inf"].number(), row["limit_rmse"].number()};
      output.judged = Judge(output.parity, output.limits);
      result.outputs.push_back(std::move(output));
    }
    top.Array("chips");
    for (const Json& row : json["chips"]) {
      JsonObject object(row, fmt::format("chips[{}]", result.chips.size()), top);
      ChipEstimate chip;
      object.Get("chip", &chip.chip);
      object.Has("latency_ms");
      object.Has("ane_op_coverage_pct");
      chip.latency_ms = ReadEstimate(row["latency_ms"]);
      chip.ane_op_coverage_pct = ReadEstimate(row["ane_op_coverage_pct"]);
      result.chips.push_back(std::move(chip));
    }
    top.Array("tensors");
    for (const Json& row : json["tensors"]) result.tensors.push_back(ReadTensor(row));
  }
  ANEMONE_TRY(document.status(ErrorCode::kInvalidInput));
  return result;
}

}  // namespace anemone::lab
