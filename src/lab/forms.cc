// The forms that the search chooses from, and sensitivities as JSON.
#include <algorithm>
#include <limits>

#include "base/json_reader.h"
#include "compress/methods.h"
#include "lab/parity_json.h"
#include "lab/sensitivity.h"

namespace anemone::lab {
namespace {}  // namespace

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
  Json forms = Json::Array();
  for (const FormCost& cost : sensitivity.forms) {
    Json row{{"form", cost.form}, {"possible", cost.possible}};
    row["bytes"] = cost.possible ? Json(cost.bytes) : Json(nullptr);
    row["loss"] = cost.possible ? FiniteOrNull(cost.loss) : Json(nullptr);
    row["snr_db"] = cost.possible ? FiniteOrNull(cost.snr_db) : Json(nullptr);
    forms.push_back(std::move(row));
  }
  json["forms"] = std::move(forms);
  return json.Dump();
}

Result<WeightSensitivity> ParseSensitivity(const std::string& text) {
  JsonDocument document(text, "a sensitivity", {.all_required = true, .unknown_allowed = true});
  WeightSensitivity found;
  {
    JsonObject top = document.root();
    const Json& json = document.json();
    const auto number = [](const Json& figure) {
      return figure.is_number() ? figure.number() : std::numeric_limits<double>::infinity();
    };
    top.Get("weight", &found.weight);
    top.Get("operator", &found.operator_name);
    top.Get("type", &found.operator_type);
    top.Get("setting", &found.setting);
    top.Array("shape");
    for (const Json& size : json["shape"]) found.shape.push_back(size.integer());
    top.Get("bytes", &found.bytes);
    top.Has("skipped");
    found.skipped = json["skipped"].text();
    top.Array("forms");
    for (const Json& row : json["forms"]) {
      JsonObject object(row, fmt::format("forms[{}]", found.forms.size()), top);
      FormCost cost;
      object.Get("form", &cost.form);
      object.Get("possible", &cost.possible);
      if (cost.possible) {
        object.Get("bytes", &cost.bytes);
        object.Has("loss");
        object.Has("snr_db");
        cost.loss = number(row["loss"]);
        cost.snr_db = number(row["snr_db"]);
      }
      found.forms.push_back(std::move(cost));
    }
  }
  ANEMONE_TRY(document.status(ErrorCode::kInvalidInput));
  return found;
}

}  // namespace anemone::lab
