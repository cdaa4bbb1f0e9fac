// The matrix as one HTML page: no script, no request, readable on a phone, in light and dark mode.
#include <fmt/core.h>

#include <algorithm>

#include "gate/escape.h"
#include "gate/matrix.h"

namespace anemone::gate {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--ink:#1d2126;--soft:#5a636e;--paper:#fff;--line:#d8dde3;--head:#f3f5f7;
--pass:#11703a;--pass-bg:#e3f5ea;--fail:#a4161a;--fail-bg:#fde7e7;--maybe:#7a5200;--maybe-bg:#fdf2d6;--none:#5a636e;--none-bg:#eef0f3}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--paper:#14171b;--line:#333a42;--head:#1d2227;
--pass:#7ddba0;--pass-bg:#12331f;--fail:#ff9c9c;--fail-bg:#431619;--maybe:#f0c674;--maybe-bg:#3b2d0d;--none:#9aa4b0;--none-bg:#23282e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.5rem 0;color:var(--soft)}
.scroll{overflow-x:auto}a{text-decoration:none}:focus-visible{outline:2px solid var(--soft);outline-offset:2px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{background:var(--head);font-weight:600}tbody th{font-weight:500;min-width:9rem}
.v{display:inline-block;padding:.05rem .5rem;border-radius:.6rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.pass{color:var(--pass);background:var(--pass-bg)}.fail{color:var(--fail);background:var(--fail-bg)}
.maybe{color:var(--maybe);background:var(--maybe-bg)}.none{color:var(--none);background:var(--none-bg)}
.n{display:block;font-size:.85rem;color:var(--soft)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.5rem .8rem}summary{cursor:pointer;overflow-wrap:anywhere}
ul{margin:.2rem 0;padding-left:1.1rem;color:var(--soft);font-size:.85rem}li,td{overflow-wrap:anywhere}
)";

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
      HtmlText(matrix.report.policy.name), kStyle, HtmlText(matrix.report.policy.description));
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
