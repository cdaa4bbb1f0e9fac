#include "lab/sweep.h"

#include <cmath>

#include "compress/configuration_json.h"
#include "compress/linear_quantization.h"
#include "lab_fixture.h"
#include "support/scratch.h"

namespace anemone::lab {
namespace {

using test::ScratchFolder;

JobsDb OpenDb(const std::string& path) {
  auto db = JobsDb::Open(path);
  EXPECT_TRUE(db.ok()) << db.error().ToString();
  return std::move(db).value();
}

TEST(JobsDatabase, KeepsResultsFailuresAndNotes) {
  const ScratchFolder folder;
  const std::string path = folder / "lab.sqlite";
  {
    JobsDb db = OpenDb(path);
    ASSERT_TRUE(db.AddSubject("subject", "model", "samples").ok());
    ASSERT_TRUE(db.AddVariant("subject", "one", 0, "key1", "{}").ok());
    ASSERT_TRUE(db.AddVariant("subject", "two", 1, "key2", "{}").ok());
    EXPECT_FALSE(db.Find("key1")->has_value());
    VariantResult result;
    result.package_bytes = 7;
    result.loss = INFINITY;
    ASSERT_TRUE(db.Store("key1", result, {"{\"a\": 1}", "", "", 5}).ok());
    ASSERT_TRUE(db.StoreFailure("key2", {"", "unsupported", "no such form", 6}).ok());
    ASSERT_TRUE(db.StoreNote("subject", "n", "text").ok());
  }
  JobsDb db = OpenDb(path);
  const auto one = db.Find("key1");
  ASSERT_TRUE(one.ok() && one->has_value());
  EXPECT_EQ((*one)->result, "{\"a\": 1}");
  EXPECT_EQ((*one)->duration_ns, 5);
  const auto two = db.Find("key2");
  ASSERT_TRUE(two.ok() && two->has_value());
  EXPECT_EQ((*two)->error_code, "unsupported");
  EXPECT_EQ((*two)->error, "no such form");
  EXPECT_EQ(**db.FindNote("subject", "n"), "text");
  EXPECT_FALSE(db.FindNote("subject", "other")->has_value());
  EXPECT_FALSE(db.Find("key3")->has_value());
}

TEST(JobsDatabase, RefusesWhatIsNone) {
  const ScratchFolder folder;
  test::WriteText(folder / "text", std::string(5000, 'x'));
  const auto text = JobsDb::Open(folder / "text");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code(), ErrorCode::kInvalidInput) << text.error().ToString();
  const auto nowhere = JobsDb::Open(folder / "no/such/folder/lab.sqlite");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code(), ErrorCode::kIo);
}

TEST(Variant, ResultsReadBackAsTheyWere) {
  const LabSubject subject = SubjectOf();
  const auto result = MeasureVariant(subject, PaletteAll(4), {.threads = 1});
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  EXPECT_GT(result->loss, 0);
  EXPECT_EQ(result->samples, 4);
  EXPECT_FALSE(result->top1.has_value());
  EXPECT_TRUE(result->agreement.has_value());
  EXPECT_EQ(result->outputs.size(), 1u);
  EXPECT_FALSE(result->chips.empty());
  const std::string json = ResultJson(*result);
  const auto read = ParseResult(json);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(ResultJson(*read), json);
  EXPECT_FALSE(ParseResult("{}").ok());
  EXPECT_FALSE(ParseResult("3").ok());
}

TEST(Variant, TheBaseLosesNothing) {
  const LabSubject subject = SubjectOf();
  const auto base = MeasureVariant(subject, {}, {.threads = 1});
  ASSERT_TRUE(base.ok());
  EXPECT_EQ(base->loss, 0);
  EXPECT_EQ(base->agreement, 4);
  EXPECT_EQ(base->weight_bytes, 4 * (32 * 16 * 9 + 32 * 32 * 9 + 100 * 32 + 100));
  const auto palette = MeasureVariant(subject, PaletteAll(8), {.threads = 1});
  ASSERT_TRUE(palette.ok());
  EXPECT_LT(palette->weight_bytes, base->weight_bytes / 2);
  EXPECT_GT(palette->weight_bytes, base->weight_bytes / 4);
}

TEST(Variant, LearnsFromTheCalibrationSamplesOnly) {
  compress::LinearConfig linear;
  linear.dtype = DType::kInt4;
  linear.granularity = compress::Granularity::kPerBlock;
  linear.block_size = 16;
  compress::WeightStep step;
  const auto measure = [&](const LabSubject& subject, compress::Rounding rounding) {
    linear.rounding = rounding;
    step.global_config = linear;
    return MeasureVariant(subject, {.weights = {step}}, {.threads = 1});
  };
  // Nothing to learn from: a verdict on the variant.
  const auto none = measure(SubjectOf(), compress::Rounding::kGptq);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUsage);
  const LabSubject one = SubjectOf(kClassifier, 4, 24);
  const LabSubject same = SubjectOf(kClassifier, 8, 24);  // other judges
  const LabSubject other = SubjectOf(kClassifier, 4, 24, 7);
  EXPECT_NE(one.sha256(), other.sha256());
  EXPECT_NE(one.sha256(), SubjectOf().sha256());
  for (const auto rounding : {compress::Rounding::kGptq, compress::Rounding::kAdaRound}) {
    const auto a = measure(one, rounding);
    const auto b = measure(same, rounding);
    const auto c = measure(other, rounding);
    ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status().ToString();
    ASSERT_GT(a->tensors.size(), 0u);
    bool differs = false;
    for (size_t i = 0; i < a->tensors.size(); ++i) {
      EXPECT_EQ(a->tensors[i].rms_error, b->tensors[i].rms_error) << a->tensors[i].name;
      differs |= a->tensors[i].rms_error != c->tensors[i].rms_error;
    }
    EXPECT_TRUE(differs);
    // Found again, within the subject: the same.
    const auto again = measure(one, rounding);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(ResultJson(*again), ResultJson(*a));
    const auto nearest = measure(one, compress::Rounding::kNearest);
    ASSERT_TRUE(nearest.ok());
    EXPECT_EQ(a->package_bytes, nearest->package_bytes);
  }
}

TEST(Variant, KeysFollowTheContents) {
  const LabSubject one = SubjectOf();
  const LabSubject same = SubjectOf();
  const LabSubject other_samples = SubjectOf(kClassifier, 5);
  std::string text = kClassifier;
  text.replace(text.find("seed 3"), 6, "seed 9");
  const LabSubject other_weights = SubjectOf(text);
  EXPECT_EQ(one.KeyOf(PaletteAll(4)), same.KeyOf(PaletteAll(4)));
  EXPECT_NE(one.KeyOf(PaletteAll(4)), one.KeyOf(PaletteAll(6)));
  EXPECT_NE(one.KeyOf(PaletteAll(4)), other_samples.KeyOf(PaletteAll(4)));
  EXPECT_NE(one.KeyOf(PaletteAll(4)), other_weights.KeyOf(PaletteAll(4)));
}

class SweepTest : public ::testing::Test {
 protected:
  SweepTest() : subject_(SubjectOf()) {
    for (const int nbits : {8, 6, 4, 2, 1})
      jobs_.push_back(MakeJob(subject_, fmt::format("p{}", nbits), PaletteAll(nbits)));
    jobs_.push_back(MakeJob(subject_, "base", {}));
  }
  std::vector<std::string> Run(const std::string& path, const SweepOptions& options,
                               int64_t* found = nullptr) {
    JobsDb db = OpenDb(path);
    EXPECT_TRUE(db.AddSubject(subject_.sha256(), "m", "s").ok());
    SweepOptions with_count = options;
    with_count.progress = [&](int64_t done, int64_t total, const Finished& finished, bool known) {
      if (found != nullptr) *found += known ? 1 : 0;
      if (options.progress) options.progress(done, total, finished, known);
    };
    const auto finished = RunSweep(subject_, db, jobs_, 0, with_count);
    std::vector<std::string> results;
    if (!finished.ok()) {
      EXPECT_EQ(finished.error().code(), ErrorCode::kCancelled) << finished.error().ToString();
      return results;
    }
    for (const Finished& one : *finished)
      results.push_back(one.result ? ResultJson(*one.result) : one.error);
    return results;
  }
  ScratchFolder folder_;
  LabSubject subject_;
  std::vector<Job> jobs_;
};

TEST_F(SweepTest, WorkersDoNotMatter) {
  const auto one = Run(folder_ / "a.sqlite", {.jobs = 1, .threads = 1});
  const auto three = Run(folder_ / "b.sqlite", {.jobs = 3, .threads = 3});
  ASSERT_EQ(one.size(), jobs_.size());
  EXPECT_EQ(one, three);
}

TEST_F(SweepTest, InterruptedAndResumedEndsTheSameAndDoesNothingTwice) {
  const auto whole = Run(folder_ / "a.sqlite", {});
  int64_t done = 0;
  SweepOptions interrupted;
  interrupted.progress = [&](int64_t, int64_t, const Finished&, bool) { ++done; };
  interrupted.cancelled = [&] { return done >= 2; };
  EXPECT_TRUE(Run(folder_ / "b.sqlite", interrupted).empty());
  EXPECT_EQ(done, 2);
  int64_t found = 0;
  EXPECT_EQ(Run(folder_ / "b.sqlite", {}, &found), whole);
  EXPECT_EQ(found, 2);
  found = 0;
  EXPECT_EQ(Run(folder_ / "b.sqlite", {}, &found), whole);
  EXPECT_EQ(found, static_cast<int64_t>(jobs_.size()));
}

TEST(Sweep, WhatTheTargetLacksIsAVerdictNotAnError) {
  const LabSubject subject = SubjectOf(R"(
    func main<ios15>(tensor<fp32, [1, 64]> x) {
      w = const()[val = tensor<fp32, [64, 64]>(seed 1), name = "w"];
      y = linear(x = x, weight = w, bias = tensor<fp32, [64]>(seed 2));
    } -> (y);)");
  const ScratchFolder folder;
  JobsDb db = OpenDb(folder / "lab.sqlite");
  ASSERT_TRUE(db.AddSubject(subject.sha256(), "m", "s").ok());
  const std::vector<Job> jobs{MakeJob(subject, "p4", PaletteAll(4)), MakeJob(subject, "base", {})};
  const auto finished = RunSweep(subject, db, jobs, 0, {});
  ASSERT_TRUE(finished.ok()) << finished.error().ToString();
  EXPECT_FALSE((*finished)[0].result);
  EXPECT_EQ((*finished)[0].error_code, "unsupported");
  EXPECT_NE((*finished)[0].error.find("ios16"), std::string::npos) << (*finished)[0].error;
  EXPECT_TRUE((*finished)[1].result);
}

TEST(Sweep, ListsOfVariantsAreReadAndBadOnesRefused) {
  const LabSubject subject = SubjectOf();
  const ScratchFolder folder;
  const auto read = [&](const std::string& text) {
    test::WriteText(folder / "list.json", text);
    return ReadJobs(subject, folder / "list.json");
  };
  const std::string p4 = compress::ConfigurationJson(PaletteAll(4));
  const auto good =
      read(R"({"variants": [{"name": "base"}, {"name": "p4", "configuration": )" + p4 + "}]}");
  ASSERT_TRUE(good.ok()) << good.error().ToString();
  ASSERT_EQ(good->size(), 2u);
  EXPECT_EQ((*good)[0].key, subject.KeyOf({}));
  EXPECT_EQ((*good)[1].configuration, PaletteAll(4));
  for (const char* text :
       {"", "[]", "{}", R"({"variants": 3})", R"({"variants": []})", R"({"variants": [3]})",
        R"({"variants": [{"name": ""}]})", R"({"variants": [{"name": "a"}, {"name": "a"}]})",
        R"({"variants": [{"name": "a", "bits": 3}]})",
        R"({"variants": [{"name": "a", "configuration": {"global_config": {"nbits": 5}}}]})"}) {
    const auto bad = read(text);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_EQ(bad.error().code(), ErrorCode::kUsage) << bad.error().ToString();
    EXPECT_NE(bad.error().ToString().find("list.json"), std::string::npos);
  }
  EXPECT_EQ(ReadJobs(subject, folder / "none.json").error().code(), ErrorCode::kNotFound);
  // A worker gets them one by one.
  const auto job = ParseJob(subject, R"({"name": "p4", "configuration": )" + p4 + "}");
  ASSERT_TRUE(job.ok()) << job.error().ToString();
  EXPECT_EQ(job->key, (*good)[1].key);
  for (const char* text : {"", "{", "[]", R"({"configuration": null})", R"({"name": "a", "x": 1})"})
    EXPECT_FALSE(ParseJob(subject, text).ok()) << text;
}

}  // namespace
}  // namespace anemone::lab
