// The reports that machines read: JUnit XML, JSON, and the certificate.
#include <ctime>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/json.h"
#include "gate/report.h"
#include "runtime/certificate.h"

namespace anemone::gate {
namespace {

// Escapes text for XML 1.0, which excludes the rest of the control characters, U+FFFE and U+FFFF.
std::string Xml(const std::string& text) {
  std::string out;
  const std::string valid = ToUtf8(text);
  for (size_t i = 0; i < valid.size(); ++i) {
    const std::string_view three = std::string_view(valid).substr(i, 3);
    if (three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") {
      out += '?';
      i += 2;
      continue;
    }
    const char c = valid[i];
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
    }
  }
  return out;
}

std::string Lines(const CheckResult& check) {
  std::string text;
  if (!check.value.empty()) text += "value: " + check.value + "\n";
  if (!check.limit.empty()) text += "limit: " + check.limit + "\n";
  for (const std::string& line : check.evidence) text += line + "\n";
  return text;
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json MachineJson(const runtime::RunMachine& machine) {
  return {{"os", machine.os},
          {"os_version", OrNull(machine.os_version)},
          {"os_build", OrNull(machine.os_build)},
          {"architecture", machine.architecture},
          {"hardware_model", OrNull(machine.hardware_model)},
          {"chip", OrNull(machine.chip)},
          {"thermal_state", OrNull(machine.thermal_state)},
          {"power_mode", OrNull(machine.power_mode)}};
}

Json ChecksJson(const std::vector<CheckResult>& checks) {
  Json list = Json::Array();
  for (const CheckResult& check : checks) {
    list.push_back({{"name", check.name},
                    {"title", check.title},
                    {"verdict", VerdictName(check.verdict)},
                    {"required", check.required},
                    {"value", TextOrNull(check.value)},
                    {"limit", TextOrNull(check.limit)},
                    {"evidence", check.evidence},
                    {"failure_class", check.failure == FailureClass::kNone
                                          ? Json(nullptr)
                                          : Json(FailureClassName(check.failure))}});
  }
  return list;
}

Json ModelJson(const ModelReport& model) {
  Json json;
  json["model"] = model.evidence.model;
  json["model_hash"] = model.evidence.model_hash;
  json["precision"] = TextOrNull(model.evidence.precision);
  json["machine"] =
      model.evidence.device ? MachineJson(model.evidence.device->machine) : Json(nullptr);
  json["verdict"] = VerdictName(model.verdict);
  json["exit_code"] = model.exit_code;
  json["checks"] = ChecksJson(model.checks);
  Json diagnoses = Json::Array();
  for (const Diagnosis& diagnosis : model.diagnoses) {
    diagnoses.push_back({{"failure_class", FailureClassName(diagnosis.failure)},
                         {"operators", diagnosis.operators},
                         {"advice", diagnosis.advice}});
  }
  json["diagnoses"] = std::move(diagnoses);
  Json records = Json::Array();
  for (const RecordFile& file : model.evidence.records) records.push_back(file.path);
  json["records"] = std::move(records);
  json["certificate"] = TextOrNull(model.certificate);
  return json;
}

std::string Dump(const Json& json) { return json.Dump({.indent = 2}) + "\n"; }

std::string IsoTime(int64_t unix_ns) {
  const std::time_t seconds = unix_ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

}  // namespace

std::string ToJUnit(const GateReport& report) {
  int64_t tests = 0;
  int64_t failures = 0;
  std::string suites;
  int64_t id = 0;
  for (const ModelReport& model : report.models) {
    int64_t failed_here = 0;
    int64_t skipped_here = 0;
    std::string cases;
    for (const CheckResult& check : model.checks) {
      cases += fmt::format("    <testcase name=\"{}\" classname=\"{}.{}\" time=\"0\">\n",
                           Xml(check.name), Xml(report.policy.name), Xml(model.evidence.model));
      // A check that does not decide must not turn a build red.
      if (check.verdict == Verdict::kFail && check.required) {
        ++failed_here;
        cases += fmt::format("      <failure message=\"{}\" type=\"{}\">{}</failure>\n",
                             Xml(check.title + ": " + check.value), FailureClassName(check.failure),
                             Xml(Lines(check)));
      } else if (check.verdict != Verdict::kPass) {
        ++skipped_here;
        cases += fmt::format("      <skipped message=\"{}\"/>\n",
                             Xml(std::string(VerdictName(check.verdict)) + ": " +
                                 (check.evidence.empty() ? check.value : check.evidence.front())));
      }
      if (check.verdict == Verdict::kPass) {
        cases += fmt::format("      <system-out>{}</system-out>\n", Xml(Lines(check)));
      }
      cases += "    </testcase>\n";
    }
    const std::string device = model.evidence.device ? model.evidence.device->label() : "";
    suites += fmt::format(
        "  <testsuite name=\"{}\" id=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" "
        "skipped=\"{}\" time=\"0\" timestamp=\"{}\" hostname=\"{}\">\n{}  </testsuite>\n",
        Xml(model.evidence.model), id++, model.checks.size(), failed_here, skipped_here,
        IsoTime(report.time_unix_ns), Xml(device), cases);
    tests += static_cast<int64_t>(model.checks.size());
    failures += failed_here;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"0\">\n"
      "{}</testsuites>\n",
      Xml(report.policy.name), tests, failures, suites);
}

std::string ToJson(const GateReport& report) {
  Json json;
  json["schema"] = "anemone.gate";
  json["schema_version"] = 1;
  json["tool_version"] = report.tool_version;
  json["time_unix_ns"] = report.time_unix_ns;
  json["policy"] = {
      {"name", report.policy.name}, {"path", report.policy.path}, {"sha256", report.policy.sha256}};
  json["verdict"] = VerdictName(report.verdict());
  json["exit_code"] = report.exit_code();
  Json models = Json::Array();
  for (const ModelReport& model : report.models) models.push_back(ModelJson(model));
  json["models"] = std::move(models);
  return Dump(json);
}

Result<std::string> WriteCertificate(const std::string& directory, const Policy& policy,
                                     const ModelReport& model, int64_t time_unix_ns,
                                     const std::string& tool_version) {
  if (model.verdict != Verdict::kPass) {
    return Mismatch("a verdict of {} certifies nothing", VerdictName(model.verdict));
  }
  const Evidence& evidence = model.evidence;
  if (evidence.model_hash.empty() || !evidence.device || !evidence.device->machine.os_build) {
    return Usage("a certificate needs the model's hash and the build of the system");
  }
  const std::string& build = *evidence.device->machine.os_build;
  Json json;
  json["schema"] = runtime::kCertificateSchema;
  json["schema_version"] = runtime::kCertificateSchemaVersion;
  json["verdict"] = "PASS";
  json["model"] = evidence.model;
  json["model_hash"] = evidence.model_hash;
  json["os_build"] = build;
  json["backend"] = policy.subject_backend;
  json["compute_units"] = policy.subject_units;
  json["policy"] = policy.name;
  json["policy_sha256"] = policy.sha256;
  json["chip"] = evidence.device->machine.chip.value_or("unknown");
  json["machine"] = MachineJson(evidence.device->machine);
  json["time_unix_ns"] = time_unix_ns;
  json["tool_version"] = tool_version;
  json["checks"] = ChecksJson(model.checks);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(directory);
  const std::string path = runtime::CertificatePath(directory, evidence.model_hash, build);
  ANEMONE_TRY(WriteAtomically(path, Dump(json)));
  return path;
}

}  // namespace anemone::gate
