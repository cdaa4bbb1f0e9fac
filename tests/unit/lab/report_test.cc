#include "lab/report.h"

#include <nlohmann/json.hpp>

#include "lab_fixture.h"

namespace anemone::lab {
namespace {

Finished FinishedVariant(const std::string& name, int64_t bytes, int64_t agreement, double loss) {
  Finished finished;
  finished.job.name = name;
  finished.job.key = name;
  finished.result = VariantResult{};
  finished.result->package_bytes = bytes;
  finished.result->samples = 100;
  finished.result->agreement = agreement;
  finished.result->loss = loss;
  return finished;
}

LabReport SomeReport() {
  LabReport report;
  report.model = "</script><b>&\"model";
  report.variants = {FinishedVariant("base", 100, 100, 0), FinishedVariant("good", 50, 100, 0.1),
                     FinishedVariant("worse", 50, 99, 0.2), FinishedVariant("larger", 60, 99, 0.05),
                     FinishedVariant("small", 10, 80, 2)};
  Finished failed;
  failed.job.name = "failed";
  failed.error_code = "unsupported";
  failed.error = "the op set has no such form";
  report.variants.push_back(failed);
  report.base = report.variants[0].result;
  report.budget = Budget{0.5};
  report.chosen = "good";
  report.weights = HistogramsOf(*test::ParseModel(kClassifier)->program.main(), 2048);
  return report;
}

TEST(Pareto, NoOtherIsSmallerAndNoWorse) {
  const LabReport report = SomeReport();
  EXPECT_EQ(ParetoFront(report.variants, report.base),
            (std::vector<bool>{true, true, false, false, true, false}));
}

TEST(Report, TheDocumentHasVerdictsAndUnknownIsNull) {
  const auto json = nlohmann::json::parse(LabJson(SomeReport()));
  EXPECT_EQ(json["schema"], "anemone.lab");
  EXPECT_EQ(json["drop_measure"], "agreement");
  ASSERT_EQ(json["variants"].size(), 6u);
  EXPECT_EQ(json["variants"][1]["verdict"], "within");
  EXPECT_EQ(json["variants"][1]["chosen"], true);
  EXPECT_EQ(json["variants"][2]["verdict"], "exceeds");
  EXPECT_EQ(json["variants"][2]["drop_pct"], 1.0);
  EXPECT_EQ(json["variants"][5]["state"], "failed");
  EXPECT_TRUE(json["variants"][5]["result"].is_null());
  EXPECT_TRUE(json["variants"][0]["result"]["top1"].is_null());
  EXPECT_TRUE(json["fidelity"].is_null());
  EXPECT_EQ(json["weights"].size(), 3u);
}

TEST(Report, ThePageCarriesTheDocumentAndNothingEscapesIt) {
  const std::string document = LabJson(SomeReport());
  const std::string page = LabHtml(document);
  const std::string open = "id=\"lab-data\">";
  const size_t begin = page.find(open) + open.size();
  const size_t end = page.find("</script>", begin);
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(page.substr(begin, end - begin)),
            nlohmann::json::parse(document));
  for (const char* mark :
       {"/*PAGE_STYLE*/", "/*PAGE_SCRIPT*/", "/*CHART_LIBRARY*/", "/*LAB_JSON*/"})
    EXPECT_EQ(page.find(mark), std::string::npos) << mark;
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
  EXPECT_EQ(page.find("href=\"http"), std::string::npos);
}

TEST(Histogram, CountsEveryFiniteValue) {
  const auto histograms = HistogramsOf(*test::ParseModel(kClassifier)->program.main(), 2048, 10);
  ASSERT_EQ(histograms.size(), 3u);
  for (const WeightHistogram& histogram : histograms) {
    int64_t sum = 0;
    for (const int64_t count : histogram.bins) sum += count;
    EXPECT_EQ(sum, histogram.elements);
    EXPECT_EQ(histogram.bins.size(), 10u);
    EXPECT_LT(histogram.low, histogram.high);
    EXPECT_GT(histogram.rms, 0);
  }
  EXPECT_EQ(histograms[0].elements, 32 * 16 * 9);
}

}  // namespace
}  // namespace anemone::lab
