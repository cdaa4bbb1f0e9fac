#include "gate/report.h"

#include <fmt/core.h>

#include <algorithm>

#include "gate/escape.h"

namespace anemone::gate {
namespace {

const char* Sign(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "✅ PASS";
    case Verdict::kFail:
      return "❌ FAIL";
    case Verdict::kInconclusive:
      return "❔ INCONCLUSIVE";
    case Verdict::kNotMeasured:
      return "➖ NOT MEASURED";
  }
  return "";
}

// A cell of a Markdown table, or a line of its text.
std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : HtmlText(text)) {
    if (c == '|' || c == '*' || c == '_' || c == '`' || c == '\\' || c == '[') out += '\\';
    out += c;
  }
  return out;
}

// Names and evidence come from files: nothing in them may steer a terminal.
std::string Plain(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

// A paragraph: `first`, and under it lines indented to its text.
void AppendLines(const std::string& first, const std::string& text, std::string& out) {
  constexpr size_t kColumns = 100;
  const std::string plain = Plain(text);
  std::string line = first;
  size_t begin = 0;
  while (begin < plain.size()) {
    const size_t room = kColumns - std::min(kColumns - 20, first.size());
    size_t end = plain.size() - begin <= room ? plain.size() : plain.rfind(' ', begin + room);
    // A word that is too long is not split.
    if (end == std::string::npos || end <= begin) end = plain.find(' ', begin + 1);
    if (end == std::string::npos) end = plain.size();
    out += line + plain.substr(begin, end - begin) + "\n";
    line = std::string(first.size(), ' ');
    begin = std::min(plain.size(), end + 1);
  }
}

// "net fp16"; "net" when the precision is unknown or in the name.
std::string TitleOf(const Evidence& evidence) {
  const std::string& precision = evidence.precision;
  if (precision.empty() || evidence.model.ends_with(precision)) return evidence.model;
  return evidence.model + " " + precision;
}

// Paths of records are printed once, not with every check.
bool IsRecordPath(const Evidence& evidence, const std::string& line) {
  return std::any_of(evidence.records.begin(), evidence.records.end(),
                     [&](const RecordFile& file) { return file.path == line; });
}

std::string DeviceOf(const ModelReport& model) {
  return model.evidence.device ? model.evidence.device->label() : "no device";
}

std::string Count(const GateReport& report) {
  int counts[4] = {};
  for (const ModelReport& model : report.models) ++counts[static_cast<size_t>(model.verdict)];
  std::string text =
      fmt::format("{} model{}", report.models.size(), report.models.size() == 1 ? "" : "s");
  for (const Verdict verdict :
       {Verdict::kPass, Verdict::kFail, Verdict::kInconclusive, Verdict::kNotMeasured}) {
    const int count = counts[static_cast<size_t>(verdict)];
    if (count > 0) text += fmt::format(", {} {}", count, VerdictName(verdict));
  }
  return text;
}

void AppendCheck(const Evidence& evidence, const CheckResult& check, std::string& out) {
  constexpr const char* kIndent = "                ";
  out += fmt::format("  {:12}  {}{}\n", VerdictName(check.verdict), check.title,
                     check.required ? "" : " (does not decide)");
  if (!check.value.empty()) AppendLines(std::string(kIndent) + "value  ", check.value, out);
  if (!check.limit.empty()) AppendLines(std::string(kIndent) + "limit  ", check.limit, out);
  for (const std::string& line : check.evidence) {
    // Printed once, above or below.
    if (line == evidence.unavailable || IsRecordPath(evidence, line)) continue;
    AppendLines(std::string(kIndent) + "- ", line, out);
  }
}

void AppendModel(const GateReport& report, const ModelReport& model, std::string& out) {
  const Evidence& evidence = model.evidence;
  out += fmt::format("\n{} on {}\n", Plain(TitleOf(evidence)), Plain(DeviceOf(model)));
  if (!evidence.unavailable.empty()) {
    AppendLines("  ", report.policy.subject_backend + " was not measured: " + evidence.unavailable,
                out);
  }
  for (const CheckResult& check : model.checks) AppendCheck(evidence, check, out);
  for (const Diagnosis& diagnosis : model.diagnoses) {
    out += fmt::format("  why: {}\n", FailureClassName(diagnosis.failure));
    for (const std::string& line : diagnosis.operators) AppendLines("       ", line, out);
    // Users copy commands among them, so they stay on one line.
    for (const std::string& line : diagnosis.advice) out += "    -> " + Plain(line) + "\n";
  }
  for (const RecordFile& file : evidence.records) AppendLines("  record: ", file.path, out);
  std::string because;
  for (const CheckResult* check : Deciding(model)) {
    because += (because.empty() ? " (" : "; ") + check->title;
  }
  AppendLines("  => ",
              fmt::format("{}: {}{}", evidence.model, VerdictName(model.verdict),
                          because.empty() ? "" : because + ")"),
              out);
  if (!model.certificate.empty()) AppendLines("  certificate: ", model.certificate, out);
}

}  // namespace

ModelReport MakeReport(const Policy& policy, Evidence evidence) {
  ModelReport report;
  report.checks = Decide(policy, evidence);
  report.verdict = Overall(report.checks);
  report.exit_code = ExitCodeOf(report.checks);
  report.diagnoses = Diagnose(evidence, report.checks);
  report.evidence = std::move(evidence);
  return report;
}

Verdict GateReport::verdict() const {
  const auto any = [&](Verdict verdict) {
    return std::any_of(models.begin(), models.end(),
                       [&](const ModelReport& model) { return model.verdict == verdict; });
  };
  for (const Verdict verdict : {Verdict::kFail, Verdict::kInconclusive, Verdict::kNotMeasured}) {
    if (any(verdict)) return verdict;
  }
  return models.empty() ? Verdict::kNotMeasured : Verdict::kPass;
}

int GateReport::exit_code() const {
  if (models.empty()) return 4;
  int code = models.front().exit_code;
  for (const ModelReport& model : models) {
    // Different failures together are simply a failure.
    const bool both_fail =
        model.verdict == Verdict::kFail && verdict() == Verdict::kFail && code != 0;
    const auto fails = [](int value) {
      return value == 1 || value == 5 || value == 6 || value == 7;
    };
    if (both_fail && fails(code) && code != model.exit_code) {
      code = 1;
    } else {
      code = WorseExitCode(code, model.exit_code);
    }
  }
  return code;
}

std::vector<const CheckResult*> Deciding(const ModelReport& model) {
  std::vector<const CheckResult*> checks;
  for (const CheckResult& check : model.checks) {
    if (model.verdict == Verdict::kPass || !check.required) continue;
    if (check.verdict == model.verdict) checks.push_back(&check);
  }
  return checks;
}

std::string ToText(const GateReport& report) {
  std::string out = fmt::format("gate {} ({})\n", report.policy.name, report.policy.path);
  for (const ModelReport& model : report.models) AppendModel(report, model, out);
  out += fmt::format("\n{}: {}\n", Count(report), VerdictName(report.verdict()));
  return out;
}

std::string ToMarkdown(const GateReport& report) {
  std::string out =
      fmt::format("## Gate {}: {}\n\n", Cell(report.policy.name), Sign(report.verdict()));
  if (!report.policy.description.empty()) out += Cell(report.policy.description) + "\n\n";
  out += "| model | device | verdict | what decided |\n|---|---|---|---|\n";
  for (const ModelReport& model : report.models) {
    std::string decided;
    for (const CheckResult* check : Deciding(model)) {
      decided += (decided.empty() ? "" : "; ") + check->title;
    }
    if (model.verdict == Verdict::kPass) decided = "every required check";
    out += fmt::format("| {} | {} | {} | {} |\n", Cell(TitleOf(model.evidence)),
                       Cell(DeviceOf(model)), Sign(model.verdict), Cell(decided));
  }
  for (const ModelReport& model : report.models) {
    const bool open = model.verdict == Verdict::kFail;
    out += fmt::format("\n<details{}><summary>{} on {}: {}</summary>\n\n", open ? " open" : "",
                       HtmlText(TitleOf(model.evidence)), HtmlText(DeviceOf(model)),
                       VerdictName(model.verdict));
    out += "| check | value | limit | verdict |\n|---|---|---|---|\n";
    for (const CheckResult& check : model.checks) {
      out += fmt::format("| {}{} | {} | {} | {} |\n", Cell(check.title),
                         check.required ? "" : " (does not decide)", Cell(check.value),
                         Cell(check.limit), Sign(check.verdict));
    }
    for (const Diagnosis& diagnosis : model.diagnoses) {
      out += fmt::format("\n**Failure class: {}**\n\n", FailureClassName(diagnosis.failure));
      for (const std::string& line : diagnosis.operators) out += "- " + Cell(line) + "\n";
      for (const std::string& line : diagnosis.advice) out += "- Try: " + Cell(line) + "\n";
    }
    out += "\nEvidence:\n\n";
    for (const CheckResult& check : model.checks) {
      for (const std::string& line : check.evidence) {
        if (IsRecordPath(model.evidence, line)) continue;
        out += fmt::format("- {}: {}\n", Cell(check.name), Cell(line));
      }
    }
    for (const RecordFile& file : model.evidence.records) {
      out += fmt::format("- record: {}\n", Cell(file.path));
    }
    out += "\n</details>\n";
  }
  out += fmt::format("\n{}. Policy `{}`, SHA-256 `{}`, anemone {}.\n", Count(report),
                     report.policy.name, report.policy.sha256.substr(0, 12), report.tool_version);
  return out;
}

}  // namespace anemone::gate
