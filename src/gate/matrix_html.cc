// The matrix as one HTML page: no script, no request, readable on a phone, in light and dark mode.
#include <fmt/core.h>

#include <algorithm>

#include "gate/escape.h"
#include "gate/matrix.h"
#include "gate/page_style.h"

namespace anemone::gate {
namespace {

std::string Badge(Verdict verdict) {
  const char* color = verdict == Verdict::kPass           ? "pass"
                      : verdict == Verdict::kFail         ? "fail"
                      : verdict == Verdict::kInconclusive ? "maybe"
                                                          : "none";
  return fmt::format("<span class=\"v {}\">{}</span>", color, VerdictName(verdict));
}

std::vector<std::string> Distinct(const std::vector<MatrixRow>& rows,
                                  std::string MatrixRow::* field) {
  std::vector<std::string> names;
  for (const MatrixRow& row : rows) {
    if (std::find(names.begin(), names.end(), row.*field) == names.end()) {
      names.push_back(row.*field);
    }
  }
  return names;
}

std::string CellOf(const MatrixRow& row, size_t index) {
  std::string out = fmt::format("<a href=\"#m{}\">{}</a>", index, Badge(row.verdict));
  if (row.p99_ns) {
    out += fmt::format("<span class=\"n\">p99 {:.2f} ms</span>",
                       static_cast<double>(*row.p99_ns) * 1e-6);
  }
  if (row.p99_ratio) {
    out += fmt::format("<span class=\"n\">{:.2f} of the CPU</span>", *row.p99_ratio);
  }
  if (row.planned_ane_pct) {
    out += fmt::format("<span class=\"n\">{:.0f} % planned on ANE</span>", *row.planned_ane_pct);
  }
  if (!row.decided_by.empty()) {
    out += fmt::format("<span class=\"n\">{}</span>", HtmlText(row.decided_by));
  }
  return out;
}

}  // namespace

std::string ToHtml(const Matrix& matrix) {
  const auto devices = Distinct(matrix.rows, &MatrixRow::device);
  const auto variants = Distinct(matrix.rows, &MatrixRow::variant);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>Device matrix: {0}</title>\n<style>{1}</style></head><body>\n"
      "<h1>Device matrix</h1>\n<p>Policy <b>{0}</b>. {2}</p>\n"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Verdicts\"><table><thead><tr>"
      "<th scope=\"col\">Device</th>",
      HtmlText(matrix.report.policy.name), kPageStyle, HtmlText(matrix.report.policy.description));
  for (const std::string& variant : variants) {
    out += "<th scope=\"col\">" + HtmlText(variant) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const std::string& device : devices) {
    out += "<tr><th scope=\"row\">" + HtmlText(device) + "</th>";
    for (const std::string& variant : variants) {
      out += "<td>";
      for (size_t i = 0; i < matrix.rows.size(); ++i) {
        const MatrixRow& row = matrix.rows[i];
        if (row.device == device && row.variant == variant) out += CellOf(row, i);
      }
      out += "</td>";
    }
    out += "</tr>\n";
  }
  out +=
      "</tbody></table></div>\n<p>An empty cell: no record. Times are of the records, planned "
      "units of the system's plan: a plan is not an observation.</p>\n<h2>Every check</h2>\n";
  for (size_t i = 0; i < matrix.rows.size(); ++i) {
    const ModelReport& model = matrix.report.models[i];
    out += fmt::format(
        // The target of a cell's link is inside, so that following it opens the details.
        "<details><summary>{} {} on {}</summary>\n<div class=\"scroll\" id=\"m{}\" tabindex=\"0\" "
        "role=\"region\" aria-label=\"Checks\"><table><thead><tr><th scope=\"col\">Check</th>"
        "<th scope=\"col\">Value</th><th scope=\"col\">Limit</th><th "
        "scope=\"col\">Verdict</th></tr>"
        "</thead><tbody>\n",
        Badge(model.verdict), HtmlText(matrix.rows[i].variant), HtmlText(matrix.rows[i].device), i);
    for (const CheckResult& check : model.checks) {
      out += fmt::format("<tr><td>{}{}<ul>", HtmlText(check.title),
                         check.required ? "" : " (does not decide)");
      for (const std::string& line : check.evidence) out += "<li>" + HtmlText(line) + "</li>";
      out += fmt::format("</ul></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                         HtmlText(check.value), HtmlText(check.limit), Badge(check.verdict));
    }
    out += "</tbody></table></div></details>\n";
  }
  out += fmt::format(
      "<p>anemone {}; model hashes and all numbers: table.csv, table.json.</p>\n"
      "</body></html>\n",
      HtmlText(matrix.report.tool_version));
  return out;
}

}  // namespace anemone::gate
