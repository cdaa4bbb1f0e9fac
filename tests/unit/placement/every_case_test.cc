// Every text case of every operator, as written and in half precision, on every chip: the analysis
// ends, and each verdict keeps its promises.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "place_helpers.h"
#include "placement/latency_model.h"
#include "test_paths.h"

namespace anemone::placement {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Cases(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string text = buffer.str();
  constexpr std::string_view kSeparator = "// -----";
  std::vector<std::string> cases;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(kSeparator, at), text.size());
    cases.push_back(text.substr(at, end - at));
    at = end + kSeparator.size();
  }
  return cases;
}

std::string InHalfPrecision(std::string text) {
  for (size_t at = text.find("fp32"); at != std::string::npos; at = text.find("fp32", at + 1))
    text.replace(at, 4, "fp16");
  return text;
}

void CheckVerdict(const Verdict& verdict, std::string_view op, const Chip& chip) {
  EXPECT_FALSE(verdict.rule.empty()) << op;
  if (verdict.support == Support::kSupported) {
    EXPECT_TRUE(verdict.expected) << op;
  }
  if (verdict.support == Support::kUnsupported) {
    EXPECT_FALSE(verdict.expected) << op;
  }
  if (verdict.support != Support::kSupported) {
    EXPECT_FALSE(verdict.reason.empty()) << op << " " << verdict.rule;
  }
  if (verdict.support != Support::kUnknown) {
    EXPECT_FALSE(verdict.evidence.source.empty()) << op << " " << verdict.rule;
  }
  // Only what was seen on the chip's own generation is called measured.
  if (verdict.evidence.confidence == Confidence::kMeasured) {
    EXPECT_EQ(verdict.evidence.measured_on, chip.family) << op << " " << verdict.rule;
  }
  if (verdict.evidence.confidence == Confidence::kInferred) {
    EXPECT_NE(verdict.evidence.measured_on, chip.family) << op << " " << verdict.rule;
  }
}

void CheckAnalysis(const Analysis& analysis) {
  size_t in_segments = 0;
  for (const Segment& segment : analysis.segments) in_segments += segment.count;
  size_t chosen = 0;
  for (const AnalyzedOp& op : analysis.operations) {
    chosen += op.nested ? 0 : 1;
    for (const ComputeUnit unit : {ComputeUnit::kAne, ComputeUnit::kGpu, ComputeUnit::kCpu})
      CheckVerdict(op.placement.of(unit), op.operation->type(), *analysis.chip);
    EXPECT_TRUE(op.Supports(ComputeUnit::kCpu)) << op.operation->type();
    ASSERT_NE(op.preferred, ComputeUnit::kUnknown);
    EXPECT_TRUE(op.Supports(op.preferred)) << op.operation->type();
    EXPECT_GE(op.work.flops, 0) << op.operation->type();
    EXPECT_GE(op.work.bytes(), 0) << op.operation->type();
  }
  EXPECT_EQ(in_segments, chosen);
  EXPECT_LE(analysis.supported_low_pct, analysis.supported.by_count_pct);
  EXPECT_GE(analysis.supported_high_pct, analysis.supported.by_count_pct);
  EXPECT_LE(analysis.preferred.by_count_pct, analysis.supported.by_count_pct);
  const LatencyReport latency = EstimateLatency(analysis);
  EXPECT_EQ(latency.placed_ms.has_value(), analysis.static_shapes && !analysis.operations.empty());
}

TEST(EveryCase, AnalysisKeepsItsPromises) {
  std::set<std::string> seen;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(test::kSourceDir) / "src" / "ops")) {
    if (entry.path().extension() != ".mil") continue;
    for (const std::string& text : Cases(entry.path())) {
      for (const std::string& variant : {text, InHalfPrecision(text)}) {
        const auto program = ir::ParseText(variant);
        if (!program.ok() || program->functions.empty()) continue;  // the negative cases
        for (const Chip& chip : AllChips()) {
          const auto flexible = chip.phone ? FlexibleShapes::kEnumerated : FlexibleShapes::kNone;
          const Analysis analysis = Analyze(*program->functions[0], chip, flexible);
          CheckAnalysis(analysis);
          for (const AnalyzedOp& op : analysis.operations) {
            // Asked alone, without the walk over the program.
            const OpPlacement alone =
                Place(*op.operation, program->functions[0]->opset, chip, flexible);
            EXPECT_EQ(alone.ane.rule, op.placement.ane.rule) << variant;
            EXPECT_EQ(alone.ane.reason, op.placement.ane.reason) << variant;
            seen.insert(op.operation->type());
          }
        }
      }
    }
  }
  // The cases reach nearly every operator that has a place.
  size_t placed = 0;
  for (const PlaceRule* rule : AllPlaceRules()) placed += rule->others != Others::kNobody ? 1 : 0;
  EXPECT_GE(seen.size() * 10, placed * 9) << seen.size() << " of " << placed;
}

}  // namespace
}  // namespace anemone::placement
