#include "facade/demo_page.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "gate/escape.h"
#include "gate/page_style.h"

namespace anemone::facade {
namespace {

using gate::HtmlText;

std::string Cell(const std::string& text) { return "<td>" + text + "</td>"; }

// An error beside its limit.
std::string AgainstLimit(double error, double limit) {
  return Cell(fmt::format("{:.2g}<span class=\"n\">{:.0f} % of {:g}</span>", error,
                          100 * error / limit, limit));
}

std::string OutputRow(const DemoResult::Variant& variant, const OutputComparison& output,
                      bool first) {
  std::string row = "<tr>";
  if (first) {
    const std::string file = std::filesystem::path(variant.package).filename().string();
    row += fmt::format("<th scope=\"row\" rowspan=\"{}\">{}<span class=\"n\">{}</span>",
                       variant.outputs.size(), HtmlText(variant.form), HtmlText(file));
    if (!variant.shipped) row += "<span class=\"n\">for comparison, not to be shipped</span>";
    if (!variant.kept_wide.empty()) {
      row += fmt::format("<span class=\"n\">in half precision: {} weights</span>",
                         variant.kept_wide.size());
    }
    row += fmt::format(
        "</th><td rowspan=\"{}\">{}</td>", variant.outputs.size(),
        fmt::format("{:.1f} MB", static_cast<double>(variant.package_size_bytes) * 1e-6));
  }
  row += Cell(HtmlText(output.output) + (output.relative ? "<span class=\"n\">of its range</span>"
                                                         : "<span class=\"n\">absolute</span>"));
  row += AgainstLimit(output.relative ? output.linf_relative : output.linf, variant.limit_linf);
  row += AgainstLimit(output.relative ? output.rmse_relative : output.rmse, variant.limit_rmse);
  // The decibels of equal outputs are infinite.
  row += Cell(std::isfinite(output.psnr_db) ? fmt::format("{:.1f} dB", output.psnr_db) : "equal");
  row += Cell(fmt::format("{:.0f} %", 100 * output.top1_agreement));
  row += Cell(output.passed ? "<span class=\"v pass\">within</span>"
                            : "<span class=\"v fail\">MISSED</span>");
  return row + "</tr>\n";
}

std::string Details(const DemoResult::Variant& variant) {
  std::string lines;
  if (!variant.first_drift.empty())
    lines += fmt::format("<li>first operator that drifts: {}</li>", HtmlText(variant.first_drift));
  if (!variant.kept_wide.empty()) {
    std::string names;
    for (const std::string& name : variant.kept_wide)
      names += (names.empty() ? "" : ", ") + HtmlText(name);
    lines += fmt::format("<li>in half precision, because 8 bits cost most there: {}</li>", names);
  }
  if (lines.empty()) return "";
  return fmt::format("<p>{}</p><ul>{}</ul>\n", HtmlText(variant.form), lines);
}

}  // namespace

std::string DemoPage(const DemoResult& result, const DemoOptions& options) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>Anemone: the demo</title>\n<style>{}td{{white-space:nowrap}}</style></head><body>\n"
      "<h1>How far each variant is from its fp32 original</h1>\n"
      "<p>{} on {} seeded inputs. Differences of probabilities are absolute, others are parts of "
      "the output's range. Weights: {}.</p>\n",
      gate::kPageStyle,
      result.missed == 0 ? "Every shipped variant is within its limits"
                         : fmt::format("{} shipped variants miss a limit", result.missed),
      options.samples,
      options.weights == "seeded" ? fmt::format("seeded (seed {})", options.seed)
                                  : HtmlText(options.weights));
  std::string model;
  std::string details;
  const auto end_model = [&] {
    if (!model.empty()) out += "</tbody></table></div>\n" + details;
    details.clear();
  };
  for (const DemoResult::Variant& variant : result.variants) {
    if (variant.model != model) {
      end_model();
      model = variant.model;
      out += fmt::format(
          "<h2>{0}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
          "aria-label=\"{0}\"><table><thead><tr><th scope=\"col\">Variant</th>"
          "<th scope=\"col\">Size</th><th scope=\"col\">Output</th><th scope=\"col\">L-inf</th>"
          "<th scope=\"col\">RMSE</th><th scope=\"col\">PSNR</th><th scope=\"col\">Top-1</th>"
          "<th scope=\"col\">Verdict</th></tr></thead><tbody>\n",
          HtmlText(model));
    }
    for (size_t i = 0; i < variant.outputs.size(); ++i)
      out += OutputRow(variant, variant.outputs[i], i == 0);
    details += Details(variant);
  }
  end_model();
  return out +
         fmt::format(
             "<p>int8: one scale for each output channel, rounded by how {} drive each weight, "
             "biases corrected. What only an Apple machine can show is in the manifests as an "
             "estimate. anemone {}</p>\n</body></html>\n",
             "other inputs", ANEMONE_VERSION);
}

}  // namespace anemone::facade
