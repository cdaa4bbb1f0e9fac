// The forms that the search chooses from, and sensitivities as JSON.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "compress/methods.h"
#include "lab/parity_json.h"
#include "lab/sensitivity.h"

namespace anemone::lab {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::vector<Form> FormsOf(ir::Opset opset, bool data) {
  std::vector<compress::SearchForm> all;
  for (const compress::Method* method : compress::Methods()) {
    for (compress::SearchForm& form : method->SearchForms()) {
      if (method->NeedOf(form.config).opset > opset) continue;
      if (compress::NeedsData(form.config) && !data) continue;
      all.push_back(std::move(form));
    }
  }
  std::ranges::stable_sort(all, std::ranges::greater(), &compress::SearchForm::bits);
  std::vector<Form> forms;
  for (compress::SearchForm& form : all)
    forms.push_back({std::move(form.name), std::move(form.config)});
  return forms;
}

std::string SensitivityJson(const WeightSensitivity& sensitivity) {
  Json json{{"weight", sensitivity.weight},      {"operator", sensitivity.operator_name},
            {"type", sensitivity.operator_type}, {"setting", sensitivity.setting},
            {"shape", sensitivity.shape},        {"bytes", sensitivity.bytes}};
  json["skipped"] = sensitivity.skipped.empty() ? Json(nullptr) : Json(sensitivity.skipped);
  Json forms = Json::array();
  for (const FormCost& cost : sensitivity.forms) {
    Json row{{"form", cost.form}, {"possible", cost.possible}};
    row["bytes"] = cost.possible ? Json(cost.bytes) : Json(nullptr);
    row["loss"] = cost.possible ? FiniteOrNull(cost.loss) : Json(nullptr);
    row["snr_db"] = cost.possible ? FiniteOrNull(cost.snr_db) : Json(nullptr);
    forms.push_back(std::move(row));
  }
  json["forms"] = std::move(forms);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<WeightSensitivity> ParseSensitivity(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return InvalidInput("a sensitivity is not a JSON object");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto number = [&](const Json& row, const char* key) {
    return row.at(key).is_number() ? row.at(key).get<double>() : kInfinity;
  };
  WeightSensitivity found;
  try {
    found.weight = json.at("weight").get<std::string>();
    found.operator_name = json.at("operator").get<std::string>();
    found.operator_type = json.at("type").get<std::string>();
    found.setting = json.at("setting").get<std::string>();
    found.shape = json.at("shape").get<ir::Shape>();
    found.bytes = json.at("bytes").get<int64_t>();
    if (json.at("skipped").is_string()) found.skipped = json.at("skipped").get<std::string>();
    for (const Json& row : json.at("forms")) {
      FormCost cost;
      cost.form = row.at("form").get<std::string>();
      cost.possible = row.at("possible").get<bool>();
      if (cost.possible) {
        cost.bytes = row.at("bytes").get<int64_t>();
        cost.loss = number(row, "loss");
        cost.snr_db = number(row, "snr_db");
      }
      found.forms.push_back(std::move(cost));
    }
  } catch (const Json::exception& error) {
    return InvalidInput("a sensitivity cannot be read: {}", error.what());
  }
  return found;
}

}  // namespace anemone::lab
