#include "lab/report.h"

#include <algorithm>
#include <cmath>

#include "base/html_page.h"
#include "base/json.h"
#include "compress/configuration_json.h"
#include "lab/parity_json.h"
#include "lab/report_page.h"

namespace anemone::lab {
namespace {

constexpr int kReportVersion = 1;

Json VariantJson(const Finished& finished, const LabReport& report, bool on_front) {
  Json json{{"name", finished.job.name}, {"key", finished.job.key}};
  json["state"] = finished.result ? "done" : "failed";
  json["chosen"] = finished.job.name == report.chosen;
  json["pareto"] = on_front;
  json["drop_pct"] = nullptr;
  json["verdict"] = nullptr;
  if (finished.result && report.base) {
    const double drop = DropPct(*report.base, *finished.result);
    json["drop_pct"] = FiniteOrNull(drop);
    if (report.budget) json["verdict"] = drop <= report.budget->max_drop_pct ? "within" : "exceeds";
  }
  json["error_code"] = finished.error_code.empty() ? Json(nullptr) : Json(finished.error_code);
  json["error"] = finished.error.empty() ? Json(nullptr) : Json(finished.error);
  json["result"] = finished.result ? ParseJsonOrNull(ResultJson(*finished.result)) : Json(nullptr);
  json["configuration"] = ParseJsonOrNull(compress::ConfigurationJson(finished.job.configuration));
  return json;
}

// The unit of the drop.
const char* MeasureOf(const std::optional<VariantResult>& base) {
  if (base && base->top1) return "top1";
  if (base && base->agreement) return "agreement";
  return "relative_squared_error";
}

}  // namespace

std::vector<bool> ParetoFront(const std::vector<Finished>& variants,
                              const std::optional<VariantResult>& base) {
  struct Place {
    int64_t bytes;
    double drop;
    double loss;
  };
  std::vector<std::optional<Place>> places;
  for (const Finished& variant : variants) {
    places.emplace_back();
    if (!variant.result || !std::isfinite(variant.result->loss)) continue;
    const double drop = base ? DropPct(*base, *variant.result) : 0;
    places.back() = Place{variant.result->package_bytes, drop, variant.result->loss};
  }
  const auto beats = [](const Place& a, const Place& b) {
    const bool no_worse = a.drop < b.drop || (a.drop == b.drop && a.loss <= b.loss);
    const bool better = a.drop < b.drop || (a.drop == b.drop && a.loss < b.loss);
    return a.bytes <= b.bytes && no_worse && (a.bytes < b.bytes || better);
  };
  std::vector<bool> front(variants.size(), false);
  for (size_t i = 0; i < places.size(); ++i) {
    front[i] = places[i] && std::ranges::none_of(places, [&](const auto& other) {
                 return other && beats(*other, *places[i]);
               });
  }
  return front;
}

std::string LabJson(const LabReport& report) {
  Json json{{"schema", "anemone.lab"}, {"schema_version", kReportVersion}};
  json["model"] = report.model;
  json["tool_version"] = report.tool_version;
  json["deployment_target"] = report.deployment_target;
  json["compute_precision"] = report.precision;
  json["backend"] = report.backend;
  json["samples"] = report.samples;
  json["calibration"] = report.calibration.empty() ? Json(nullptr) : Json(report.calibration);
  Json list = Json::Array();
  for (const LabReport::Sample& sample : report.sample_list) {
    Json row{{"name", sample.name}, {"use", sample.learned_from ? "calibration" : "evaluation"}};
    row["class_index"] = sample.label ? Json(*sample.label) : Json(nullptr);
    list.push_back(std::move(row));
  }
  json["sample_list"] = std::move(list);
  json["subject_sha256"] = report.subject;
  json["base_sha256"] = report.base_sha256;
  json["drop_measure"] = MeasureOf(report.base);
  json["max_drop_pct"] = report.budget ? Json(report.budget->max_drop_pct) : Json(nullptr);
  json["chosen"] = report.chosen.empty() ? Json(nullptr) : Json(report.chosen);
  json["sources"] = {{"package_bytes", "measured"},
                     {"accuracy", "measured"},
                     {"parity", "measured"},
                     {"latency_ms", "estimated"}};
  const std::vector<bool> front = ParetoFront(report.variants, report.base);
  Json variants = Json::Array();
  for (size_t i = 0; i < report.variants.size(); ++i)
    variants.push_back(VariantJson(report.variants[i], report, front[i]));
  json["variants"] = std::move(variants);
  Json sensitivity = Json::Array();
  for (const WeightSensitivity& weight : report.sensitivity)
    sensitivity.push_back(ParseJsonOrNull(SensitivityJson(weight)));
  json["sensitivity"] = std::move(sensitivity);
  Json weights = Json::Array();
  for (const WeightHistogram& histogram : report.weights)
    weights.push_back(HistogramJson(histogram));
  json["weights"] = std::move(weights);
  json["fidelity"] =
      report.fidelity ? ParseJsonOrNull(FidelityJson(*report.fidelity)) : Json(nullptr);
  return json.Dump({.indent = 1}) + "\n";
}

std::string LabHtml(const std::string& lab_json) {
  return FillPage(PageTemplate(), {{"/*CHART_LIBRARY*/", ChartLibrary()},
                                   {"/*PAGE_STYLE*/", PageStyle()},
                                   {"/*PAGE_SCRIPT*/", PageScript()},
                                   {"/*LAB_JSON*/", JsonForScript(lab_json)}});
}

}  // namespace anemone::lab
