// A variant's result as JSON, and back.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lab/parity_json.h"
#include "lab/variant.h"

namespace anemone::lab {
namespace {

using Json = nlohmann::ordered_json;

Json EstimateJson(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", FiniteOrNull(estimate->value)},
          {"low", FiniteOrNull(estimate->low)},
          {"high", FiniteOrNull(estimate->high)},
          {"source", "estimated"}};
}

std::optional<Estimate> ReadEstimate(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  return Estimate{json.value("value", 0.0), json.value("low", 0.0), json.value("high", 0.0)};
}

template <typename T>
Json Optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::optional<int64_t> ReadCount(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

double ReadNumber(const Json& json, const char* key, double missing = 0) {
  const auto found = json.find(key);
  return found == json.end() || !found->is_number() ? missing : found->get<double>();
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
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  compress::TensorRecord tensor;
  tensor.name = text("name");
  tensor.op = text("operator");
  tensor.shape = json.value("shape", ir::Shape());
  tensor.dtype = DTypeFromName(text("dtype")).value_or(DType::kInvalid);
  tensor.form = text("form");
  tensor.reason = text("skipped");
  tensor.bytes_before = json.value("bytes_before", int64_t{0});
  tensor.bytes_after = json.value("bytes_after", int64_t{0});
  tensor.max_error = ReadNumber(json, "max_error");
  tensor.rms_error = ReadNumber(json, "rms_error");
  return tensor;
}

Parity ReadParity(const Json& json) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Parity parity;
  parity.non_finite = json.value("non_finite", int64_t{0});
  parity.reference_non_finite = json.value("reference_non_finite", int64_t{0});
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
  parity.rows = json.value("rows", int64_t{0});
  parity.kl_softmax = ReadNumber(json, "kl_softmax", parity.rows > 0 ? kInfinity : 0);
  parity.top1_agree = json.value("top1_agree", int64_t{0});
  parity.top5_agree = json.value("top5_agree", int64_t{0});
  parity.top1_flips = ReadCount(json, "top1_flips_beyond_noise").value_or(0);
  parity.top5_flips = ReadCount(json, "top5_flips_beyond_noise").value_or(0);
  parity.samples = json.value("samples", int64_t{0});
  parity.elements = json.value("elements", int64_t{0});
  return parity;
}

}  // namespace

std::string ResultJson(const VariantResult& result) {
  Json json;
  json["package_bytes"] = result.package_bytes;
  json["weight_bytes"] = result.weight_bytes;
  json["samples"] = result.samples;
  json["top1"] = Optional(result.top1);
  json["top5"] = Optional(result.top5);
  json["agreement"] = Optional(result.agreement);
  json["loss"] = FiniteOrNull(result.loss);
  Json outputs = Json::array();
  for (const OutputParity& output : result.outputs) {
    Json row{{"output", output.output}};
    row.update(ParityJson(output.parity));
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
  Json chips = Json::array();
  for (const ChipEstimate& chip : result.chips) {
    chips.push_back({{"chip", chip.chip},
                     {"latency_ms", EstimateJson(chip.latency_ms)},
                     {"ane_op_coverage_pct", EstimateJson(chip.ane_op_coverage_pct)}});
  }
  json["chips"] = std::move(chips);
  Json tensors = Json::array();
  for (const auto& tensor : result.tensors) tensors.push_back(TensorJson(tensor));
  json["tensors"] = std::move(tensors);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<VariantResult> ParseResult(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return InvalidInput("a result is not a JSON object");
  VariantResult result;
  // The library's accessors throw for wrong types; a database may have been edited by hand.
  try {
    result.package_bytes = json.at("package_bytes").get<int64_t>();
    result.weight_bytes = json.at("weight_bytes").get<int64_t>();
    result.samples = json.at("samples").get<int64_t>();
    result.top1 = ReadCount(json, "top1");
    result.top5 = ReadCount(json, "top5");
    result.agreement = ReadCount(json, "agreement");
    result.loss = ReadNumber(json, "loss", std::numeric_limits<double>::infinity());
    for (const Json& row : json.at("outputs")) {
      OutputParity output;
      output.output = row.at("output").get<std::string>();
      output.parity = ReadParity(row);
      output.limits = {row.value("limit_l_inf", 0.0), row.value("limit_rmse", 0.0)};
      output.judged = Judge(output.parity, output.limits);
      result.outputs.push_back(std::move(output));
    }
    for (const Json& row : json.at("chips")) {
      result.chips.push_back({row.at("chip").get<std::string>(), ReadEstimate(row.at("latency_ms")),
                              ReadEstimate(row.at("ane_op_coverage_pct"))});
    }
    for (const Json& row : json.at("tensors")) result.tensors.push_back(ReadTensor(row));
  } catch (const Json::exception& error) {
    return InvalidInput("a result cannot be read: {}", error.what());
  }
  return result;
}

}  // namespace anemone::lab
