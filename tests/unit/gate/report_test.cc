// Reports: what each format says, that hostile names break none of them, certificates, matrix.
#include "gate/report.h"

#include <sstream>

#include "gate/matrix.h"
#include "gate_test_util.h"
#include "runtime/certificate.h"

namespace anemone::gate {
namespace {

using fixtures::EvidenceOf;
using fixtures::GateC;
using fixtures::MakePair;
using fixtures::OnlyBaseline;

constexpr const char* kHostile = "net|<b>&\"'*_`\n\x01=1+1]]>";

GateReport ReportOf(std::vector<Evidence> evidence) {
  GateReport report;
  report.policy = GateC();
  report.tool_version = "0.1.0";
  report.time_unix_ns = 1'700'000'000'000'000'000;
  for (Evidence& one : evidence) {
    report.models.push_back(MakeReport(report.policy, std::move(one)));
  }
  return report;
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Tags close in the order that they opened in, attributes are quoted, no raw control character.
void ExpectWellFormed(const std::string& xml) {
  std::vector<std::string> open;
  size_t at = xml.find("?>") + 2;
  while ((at = xml.find('<', at)) != std::string::npos) {
    const size_t end = xml.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    ASSERT_EQ(CountOf(tag, "\"") % 2, 0u) << tag;
    const std::string name =
        tag.substr(tag[0] == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag[0] == '/' ? 1 : 0));
    if (tag[0] == '/') {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), tag.substr(1));
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end;
  }
  EXPECT_TRUE(open.empty());
  for (const char c : xml) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
}

TEST(GateReports, AllPass) {
  const GateReport report = ReportOf({EvidenceOf(MakePair())});
  EXPECT_EQ(report.verdict(), Verdict::kPass);
  EXPECT_EQ(report.exit_code(), 0);
  const std::string text = ToText(report);
  EXPECT_NE(text.find("net fp16 on Apple M2, macos 15.1 (24B83)"), std::string::npos) << text;
  EXPECT_NE(text.find("1 model, 1 PASS: PASS"), std::string::npos) << text;
  const std::string markdown = ToMarkdown(report);
  EXPECT_EQ(markdown.rfind("## Gate gate-c: ✅ PASS", 0), 0u) << markdown;
  EXPECT_EQ(CountOf(markdown, "<details"), 1u);
}

TEST(GateReports, AFailureSaysWhyAndWhatToTry) {
  Evidence evidence = EvidenceOf(MakePair());
  evidence.parity[0].l_inf = 0.5;
  evidence.drifting_operators = {"softmax 'attention_3' (L-inf 0.4 of its range)"};
  const GateReport report = ReportOf({evidence});
  EXPECT_EQ(report.exit_code(), 1);
  ASSERT_EQ(report.models[0].diagnoses.size(), 1u);
  EXPECT_EQ(report.models[0].diagnoses[0].failure, FailureClass::kAccuracy);
  EXPECT_NE(ToText(report).find("--keep-float32 'attention_3'"), std::string::npos);
  EXPECT_NE(ToMarkdown(report).find("Failure class: accuracy"), std::string::npos);
}

TEST(GateReports, EveryClassOfFailureIsDiagnosed) {
  fixtures::Pair pair = MakePair({.subject_ms = 20});
  for (auto& [name, unit] : *pair.subject.header.planned_units) unit = ComputeUnit::kCpu;
  pair.subject.calls[4].ok = false;
  pair.subject.calls[4].failure = runtime::FailureKind::kCrash;
  fixtures::Summarize(pair.subject);
  Evidence evidence = EvidenceOf(pair);
  evidence.blocking_operators = {"3 x conv: kernel width 17 > 15"};
  const GateReport report = ReportOf({evidence});
  std::vector<FailureClass> classes;
  for (const Diagnosis& diagnosis : report.models[0].diagnoses) {
    classes.push_back(diagnosis.failure);
    EXPECT_FALSE(diagnosis.operators.empty());
    EXPECT_FALSE(diagnosis.advice.empty());
  }
  EXPECT_EQ(classes, (std::vector<FailureClass>{FailureClass::kCrash, FailureClass::kDispatch,
                                                FailureClass::kLatency}));
  EXPECT_EQ(report.exit_code(), 1);
}

TEST(GateReports, JUnitIsWellFormedWhateverTheNames) {
  Evidence hostile = OnlyBaseline(MakePair());
  hostile.model = kHostile;
  hostile.unavailable = kHostile;
  hostile.parity[0].l_inf = 1;
  const GateReport report = ReportOf({EvidenceOf(MakePair()), hostile});
  const std::string xml = ToJUnit(report);
  ExpectWellFormed(xml);
  EXPECT_EQ(CountOf(xml, "<testsuite "), 2u);
  EXPECT_EQ(CountOf(xml, "<testcase "), 18u);
  EXPECT_EQ(CountOf(xml, "<failure "), 1u);
  EXPECT_NE(xml.find("<testsuites name=\"gate-c\" tests=\"18\" failures=\"1\" errors=\"0\""),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("failures=\"1\" errors=\"0\" skipped=\"7\""), std::string::npos) << xml;
}

TEST(GateReports, WhatDoesNotDecideTurnsNoBuildRed) {
  Evidence evidence = EvidenceOf(MakePair());
  evidence.parity[0].l_inf = 1;
  GateReport report;
  report.policy = GateC();
  fixtures::Set(report.policy, "parity", {{"required", false}});
  report.models.push_back(MakeReport(report.policy, evidence));
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_EQ(CountOf(ToJUnit(report), "<failure "), 0u);
  EXPECT_NE(ToText(report).find("does not decide"), std::string::npos);
}

TEST(GateReports, JsonHoldsEverythingAndSurvivesHostileNames) {
  Evidence evidence = EvidenceOf(MakePair());
  evidence.model = std::string(kHostile) + "\xff";
  const Json json = *ParseJson(ToJson(ReportOf({evidence})));
  EXPECT_EQ(json["schema"], "anemone.gate");
  EXPECT_EQ(json["verdict"], "PASS");
  EXPECT_EQ(json["exit_code"], 0);
  EXPECT_EQ(json["models"].front()["checks"].size(), 9u);
  EXPECT_EQ(json["models"].front()["machine"]["chip"], "Apple M2");
  EXPECT_EQ(json["policy"]["sha256"], GateC().sha256);
}

TEST(GateReports, MarkdownTablesKeepTheirColumns) {
  Evidence evidence = EvidenceOf(MakePair());
  evidence.model = kHostile;
  const std::string markdown = ToMarkdown(ReportOf({evidence}));
  std::istringstream lines(markdown);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] != '|') continue;
    size_t bars = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '|' && (i == 0 || line[i - 1] != '\\')) ++bars;
    }
    EXPECT_EQ(bars, 5u) << line;
  }
  EXPECT_EQ(markdown.find("<b>"), std::string::npos);
}

TEST(GateReports, SeveralModelsTheWorstDecides) {
  fixtures::Pair crash = MakePair();
  crash.subject.summary.reset();
  crash.subject.header.model_hash = std::string(64, 'b');
  crash.baseline.header.model_hash = std::string(64, 'b');
  GateReport report = ReportOf({EvidenceOf(MakePair()), EvidenceOf(crash)});
  EXPECT_EQ(report.verdict(), Verdict::kFail);
  EXPECT_EQ(report.exit_code(), 5);
  Evidence inaccurate = EvidenceOf(MakePair());
  inaccurate.parity[0].l_inf = 1;
  report.models.push_back(MakeReport(report.policy, inaccurate));
  EXPECT_EQ(report.exit_code(), 1);
  EXPECT_EQ(GateReport{}.exit_code(), 4);
}

TEST(GateCertificate, OnlyAPassIsCertifiedAndTheRuntimeReadsIt) {
  const test::ScratchFolder scratch;
  const std::string folder = scratch / "certificates";
  const ModelReport passed = MakeReport(GateC(), EvidenceOf(MakePair()));
  const auto path = WriteCertificate(folder, GateC(), passed, 17, "0.1.0");
  ASSERT_TRUE(path.ok()) << path.error().ToString();
  const auto read = runtime::ReadCertificate(*path);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->model_hash, std::string(64, 'a'));
  EXPECT_EQ(read->os_build, "24B83");
  EXPECT_EQ(read->policy_sha256, GateC().sha256);
  EXPECT_EQ(read->chip, "Apple M2");
  const std::string hash(64, 'a');
  EXPECT_TRUE(runtime::IsCertified(folder, hash, "24B83", "coreml"));
  EXPECT_FALSE(runtime::IsCertified(folder, hash, "24C1", "coreml"));  // after an update
  EXPECT_FALSE(runtime::IsCertified(folder, hash, "24B83", "other"));
  EXPECT_FALSE(runtime::IsCertified(folder, std::string(64, 'b'), "24B83", "coreml"));
  EXPECT_FALSE(runtime::IsCertified("", hash, "24B83", "coreml"));
  // A certificate under another model's name belongs to another model.
  const std::string stolen = runtime::CertificatePath(folder, std::string(64, 'b'), "24B83");
  test::WriteText(stolen, anemone::test::ReadText(*path));
  EXPECT_FALSE(runtime::IsCertified(folder, std::string(64, 'b'), "24B83", "coreml"));

  const ModelReport open = MakeReport(GateC(), OnlyBaseline(MakePair()));
  EXPECT_EQ(WriteCertificate(folder, GateC(), open, 17, "0").error().code(), ErrorCode::kMismatch);
}

TEST(GateMatrix, TableAndPage) {
  std::vector<RecordFile> files;
  for (const char* chip : {"Apple M1", "=HYPERLINK(\"x\")<script>"}) {
    fixtures::Pair pair = MakePair();
    for (auto* record : {&pair.subject, &pair.baseline}) {
      record->header.machine.chip = chip;
      files.push_back(fixtures::File(*record, "r.jsonl"));
    }
  }
  files.push_back(fixtures::File(MakePair().baseline, "cpu.jsonl"));
  const Matrix matrix = MakeMatrix(GateC(), std::move(files), "0.1.0", 1);
  ASSERT_EQ(matrix.rows.size(), 3u);
  EXPECT_EQ(matrix.rows[0].inferences, 1000);
  EXPECT_NEAR(*matrix.rows[0].p99_ratio, 0.5, 0.05);
  EXPECT_NEAR(*matrix.rows[0].planned_ane_pct, 66.7, 0.1);
  EXPECT_EQ(matrix.rows[2].p99_ns, std::nullopt);
  EXPECT_TRUE(matrix.rows[2].baseline_p99_ns.has_value());

  const std::string csv = ToCsv(matrix);
  EXPECT_EQ(CountOf(csv, "\n"), 4u);
  EXPECT_NE(csv.find("\"'=HYPERLINK(\"\"x\"\")"), std::string::npos) << csv;
  const Json json = *ParseJson(ToTableJson(matrix));
  EXPECT_EQ(json["rows"].size(), 3u);
  EXPECT_TRUE(json["rows"][2]["p99_ns"].is_null());
  const std::string html = ToHtml(matrix);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);  // makes no requests
  EXPECT_EQ(html.find("src="), std::string::npos);
  EXPECT_NE(html.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_NE(html.find("width=device-width"), std::string::npos);
  EXPECT_EQ(CountOf(html, "<details"), 3u);
  EXPECT_EQ(CountOf(html, "<tr>"), CountOf(html, "</tr>"));
}

TEST(GatePolicyBuiltIn, IsTheFile) {
  const Policy file = GateC();
  const Policy built = BuiltInGateC();
  EXPECT_FALSE(built.description.empty());
  EXPECT_EQ(built.description, file.description);
  EXPECT_EQ(built.path, "built in");
  EXPECT_EQ(PolicyJson(built).Dump(), PolicyJson(file).Dump());
  EXPECT_EQ(PolicyJson(built)["checks"].size(), 9U);
}

}  // namespace
}  // namespace anemone::gate
