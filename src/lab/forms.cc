// The forms that the search chooses from, and sensitivities as JSON.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lab/parity_json.h"
#include "lab/sensitivity.h"

namespace anemone::lab {
namespace {

using Json = nlohmann::ordered_json;

// `data`: weighted by how calibration inputs drive the values.
Form Palette(std::string name, int nbits, int64_t group_size = 0, bool data = false) {
  compress::PaletteConfig config;
  config.nbits = nbits;
  config.sensitivity = data;
  if (group_size > 0) {
    config.granularity = compress::Granularity::kPerGroupedChannel;
    config.group_size = group_size;
  }
  return {std::move(name), config};
}

Form Int4(std::string name, compress::Rounding rounding = compress::Rounding::kNearest) {
  compress::LinearConfig config;
  config.dtype = DType::kInt4;
  config.granularity = compress::Granularity::kPerBlock;
  config.rounding = rounding;
  return {std::move(name), config};
}

}  // namespace

std::vector<Form> FormsOf(ir::Opset opset, bool data) {
  if (opset < ir::Opset::kIOS16) return {};
  std::vector<Form> forms;
  const auto add = [&](Form form) { forms.push_back(std::move(form)); };
  const auto add_learned = [&](Form form) {
    if (data) forms.push_back(std::move(form));
  };
  add({"int8", compress::LinearConfig{}});
  add(Palette("palette 8", 8));
  const bool groups = opset >= ir::Opset::kIOS18;  // also palettes of 3 bits, and int4
  add(Palette("palette 6", 6));
  add_learned(Palette("palette 6 by inputs", 6, 0, true));
  if (groups) {
    add(Int4("int4 block 32"));
    add_learned(Int4("int4 block 32 gptq", compress::Rounding::kGptq));
    add_learned(Int4("int4 block 32 adaround", compress::Rounding::kAdaRound));
    add(Palette("palette 4 group 8", 4, 8));
    add_learned(Palette("palette 4 group 8 by inputs", 4, 8, true));
    add(Palette("palette 4 group 32", 4, 32));
  }
  add(Palette("palette 4", 4));
  add_learned(Palette("palette 4 by inputs", 4, 0, true));
  if (groups) {
    add(Palette("palette 3 group 8", 3, 8));
    add_learned(Palette("palette 3 group 8 by inputs", 3, 8, true));
    add(Palette("palette 3", 3));
    add(Palette("palette 2 group 4", 2, 4));
    add_learned(Palette("palette 2 group 4 by inputs", 2, 4, true));
  }
  add(Palette("palette 2", 2));
  add_learned(Palette("palette 2 by inputs", 2, 0, true));
  add(Palette("palette 1", 1));
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
