#include "gate/report.h"

#include <fmt/core.h>

#include <algorithm>

namespace anemone::gate {
namespace {

const char* Mark(const CheckResult& check) {
  switch (check.verdict) {
    case Verdict::kPass:
      return "ok";
    case Verdict::kFail:
      return check.required ? "FAIL" : "fail";
    case Verdict::kInconclusive:
      return "??";
    case Verdict::kNotMeasured:
      return "--";
  }
  return "--";
}

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

// Text inside HTML, where Markdown is not read.
std::string Html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// A cell of a Markdown table, or a line of its text.
std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : Html(text)) {
    if (c == '|' || c == '*' || c == '_' || c == '`' || c == '\\' || c == '[') out += '\\';
    out += c;
  }
  return out;
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

std::string ToText(const GateReport& report) {
  std::string out = fmt::format("gate {} ({})\n", report.policy.name, report.policy.path);
  for (const ModelReport& model : report.models) {
    out += fmt::format("\n{}{} on {}\n", model.evidence.model,
                       model.evidence.precision.empty() ? "" : " " + model.evidence.precision,
                       DeviceOf(model));
    const std::string& unavailable = model.evidence.unavailable;
    if (!unavailable.empty()) {
      out += fmt::format("  {} cannot run here: {}\n", report.policy.subject_backend, unavailable);
    }
    for (const CheckResult& check : model.checks) {
      out += fmt::format("  {:4} {:42} {}", Mark(check), check.title, VerdictName(check.verdict));
      if (!check.required) out += " (does not decide)";
      out += "\n";
      if (!check.value.empty()) out += fmt::format("         value  {}\n", check.value);
      if (!check.limit.empty()) out += fmt::format("         limit  {}\n", check.limit);
      for (const std::string& line : check.evidence) {
        // Said once, above.
        if (line != unavailable) out += fmt::format("         - {}\n", line);
      }
    }
    for (const Diagnosis& diagnosis : model.diagnoses) {
      out += fmt::format("  why: {}\n", FailureClassName(diagnosis.failure));
      for (const std::string& line : diagnosis.operators) out += "         " + line + "\n";
      for (const std::string& line : diagnosis.advice) out += "      -> " + line + "\n";
    }
    out += fmt::format("  {}: {}\n", model.evidence.model, VerdictName(model.verdict));
    if (!model.certificate.empty()) out += "  certificate: " + model.certificate + "\n";
  }
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
    for (const CheckResult& check : model.checks) {
      if (!check.required || check.verdict != model.verdict || model.verdict == Verdict::kPass) {
        continue;
      }
      decided += (decided.empty() ? "" : "; ") + check.title;
    }
    if (model.verdict == Verdict::kPass) decided = "every required check";
    out += fmt::format("| {} {} | {} | {} | {} |\n", Cell(model.evidence.model),
                       model.evidence.precision, Cell(DeviceOf(model)), Sign(model.verdict),
                       Cell(decided));
  }
  for (const ModelReport& model : report.models) {
    const bool open = model.verdict == Verdict::kFail;
    out += fmt::format("\n<details{}><summary>{} {} on {}: {}</summary>\n\n", open ? " open" : "",
                       Html(model.evidence.model), model.evidence.precision, Html(DeviceOf(model)),
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
        out += fmt::format("- {}: {}\n", check.name == "" ? "check" : Cell(check.name), Cell(line));
      }
    }
    out += "\n</details>\n";
  }
  out += fmt::format("\n{}. Policy `{}`, SHA-256 `{}`, anemone {}.\n", Count(report),
                     report.policy.name, report.policy.sha256.substr(0, 12), report.tool_version);
  return out;
}

}  // namespace anemone::gate
