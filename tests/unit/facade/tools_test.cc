// The tools at the public C++ interface, each on a model so small that what must come out is known.
#include "anemone/tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "support/scratch.h"

namespace anemone {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Json Parsed(const std::string& json) {
  auto parsed = ParseJson(json);
  EXPECT_TRUE(parsed.ok()) << json;
  return parsed.ok() ? std::move(parsed).value() : Json();
}

class Tools : public testing::Test {
 protected:
  // A model of one function with this body; returns its path.
  std::string Mil(const std::string& name, const std::string& signature, const std::string& body) {
    const std::string path = scratch_ / (name + ".mil");
    test::WriteText(path, "func main<ios17>(" + signature + ") {\n" + body + "\n} -> (y);\n");
    return path;
  }
  std::string Linear() {
    return Mil("linear", "tensor<fp32, [1, 64]> x",
               "y = linear(x = x, weight = tensor<fp32, [64, 64]>(seed 7));");
  }

  test::ScratchFolder scratch_;
};

TEST_F(Tools, CompareMeasuresWhatWasAdded) {
  const std::string x = "tensor<fp32, [1, 4]> x";
  const CompareOptions options{
      .reference = Mil("plain", x, "y = mul(x = x, y = 2.0);"),
      .variant = Mil("shifted", x, "a = mul(x = x, y = 2.0); y = add(x = a, y = 0.5);"),
      .samples = 2,
      .tolerance_linf = 1e-6,
      .tolerance_rmse = 1e-6};
  const auto far = Compare(options);
  ASSERT_TRUE(far) << far.failure().ToString();
  EXPECT_FALSE(far->passed);
  ASSERT_EQ(far->outputs.size(), 1u);
  EXPECT_EQ(far->outputs[0].output, "y");
  EXPECT_NEAR(far->outputs[0].linf, 0.5, 1e-6);
  EXPECT_NEAR(far->outputs[0].rmse, 0.5, 1e-6);
  const Json document = Parsed(far->json);
  EXPECT_EQ(document["schema"].text(), "anemone.compare");
  EXPECT_FALSE(document["passed"].boolean());

  CompareOptions same = options;
  same.variant = same.reference;
  const auto equal = Compare(same);
  ASSERT_TRUE(equal) << equal.failure().ToString();
  EXPECT_TRUE(equal->passed);
  EXPECT_EQ(equal->outputs[0].linf, 0);
  EXPECT_TRUE(std::isinf(equal->outputs[0].psnr_db));
}

TEST_F(Tools, CompareJudgesAVariantByWhatItIs) {
  const std::string x = "tensor<fp32, [1, 64]> x";
  const std::string reference =
      Mil("reference", x, "y = linear(x = x, weight = tensor<fp32, [64, 64]>(seed 7));");
  const auto compare = [&](CompareOptions options) {
    options.reference = reference;
    options.samples = 1;
    const auto result = Compare(options);
    EXPECT_TRUE(result) << result.failure().ToString();
    return *result;
  };
  CompareOptions options{.variant = reference};
  CompareResult result = compare(options);
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.limit_linf, 1e-4);
  EXPECT_EQ(result.limit_rmse, 1e-5);
  EXPECT_THAT(result.limits_reason, HasSubstr("float32"));

  CompressFileOptions compress;
  compress.model = reference;
  compress.output = scratch_ / "int8.mlpackage";
  compress.compress.weight_threshold = 0;
  ASSERT_TRUE(CompressFile(compress));
  options.variant = compress.output;
  result = compare(options);
  EXPECT_EQ(result.limit_linf, 5e-2);
  EXPECT_EQ(result.limit_rmse, 5e-3);
  EXPECT_THAT(result.limits_reason, HasSubstr("compressed weights"));
  EXPECT_EQ(Parsed(result.json)["limits_reason"].text(), result.limits_reason);

  compress.output = scratch_ / "fp16.mlpackage";
  compress.compress.dtype = "float16";
  ASSERT_TRUE(CompressFile(compress));
  options.variant = compress.output;
  result = compare(options);
  EXPECT_EQ(result.limit_linf, 1e-2);
  EXPECT_EQ(result.limit_rmse, 1e-3);
  EXPECT_THAT(result.limits_reason, HasSubstr("half precision"));

  // One of them given: the other still follows from the variant.
  options.tolerance_linf = 1.0;
  result = compare(options);
  EXPECT_EQ(result.limit_linf, 1.0);
  EXPECT_EQ(result.limit_rmse, 1e-3);
  EXPECT_THAT(result.limits_reason, HasSubstr("given"));
}

TEST_F(Tools, CompareTakesTheChosenShapes) {
  const std::string flexible =
      Mil("flexible", "tensor<fp32, [?, 4]> x", "y = mul(x = x, y = 2.0);");
  CompareOptions options{.reference = flexible, .variant = flexible, .samples = 1};
  options.input_shapes = {{"x", {3, 4}}};
  const auto chosen = Compare(options);
  ASSERT_TRUE(chosen) << chosen.failure().ToString();
  EXPECT_TRUE(chosen->passed);
  options.input_shapes = {{"x", {3, 5}}};
  EXPECT_FALSE(Compare(options));  // its program does not take it
  options.input_shapes = {{"z", {3, 4}}};
  const auto unknown = Compare(options);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.failure().ToString(), HasSubstr("'z'"));
}

TEST_F(Tools, EvaluateCountsTheLabelsThatArePredicted) {
  // Three classes, the means of the channels: of one picture with each label in turn, one is right.
  const std::string model = Mil("means", "tensor<fp32, [1, 3, 8, 8]> image",
                                "y = reduce_mean(x = image, axes = [2, 3], keep_dims = false);");
  fs::copy_file("tests/fixtures/media/rgb8.png", scratch_ / "a.png");
  test::WriteText(scratch_ / "labels.csv", "file,class_index\na.png,0\na.png,1\na.png,2\n");
  EvaluateOptions options;
  options.model = model;
  options.images = scratch_.path();
  options.labels = scratch_ / "labels.csv";
  options.reference = model;
  const auto result = Evaluate(options);
  ASSERT_TRUE(result) << result.failure().ToString();
  EXPECT_EQ(result->images, 3);
  EXPECT_EQ(result->top1, 1);
  EXPECT_EQ(result->top5, 3);
  EXPECT_EQ(result->agree_with_reference, 3);
  ASSERT_EQ(result->rows.size(), 3u);
  EXPECT_EQ(result->rows[0].predicted, result->rows[2].predicted);

  options.limit = 2;
  EXPECT_EQ(Evaluate(options)->images, 2);
}

TEST_F(Tools, BenchTimesEachCall) {
  BenchOptions options;
  options.model = Linear();
  options.iterations = 5;
  options.warmup = 1;
  options.percentile = {50, 100};
  options.backend = "cpu";
  options.against = "reference";
  options.threads = 1;
  const auto result = Bench(options);
  ASSERT_TRUE(result) << result.failure().ToString();
  ASSERT_EQ(result->subjects.size(), 2u);
  EXPECT_EQ(result->subjects[0].backend, "cpu");
  EXPECT_EQ(result->subjects[1].backend, "reference");
  for (const BenchResult::Subject& subject : result->subjects) {
    EXPECT_EQ(subject.iterations, 5);
    EXPECT_EQ(subject.failed, 0);
    ASSERT_EQ(subject.percentiles_ns.size(), 2u);
    EXPECT_GT(subject.percentiles_ns[0], 0);
    EXPECT_GE(subject.percentiles_ns[1], subject.percentiles_ns[0]);
    EXPECT_LE(subject.mean_ns, static_cast<double>(subject.percentiles_ns[1]));
  }
}

TEST_F(Tools, RunAnswersWithTheModelsValues) {
  RunOptions options;
  options.model =
      Mil("three", "tensor<fp32, [1, 4]> x", "a = mul(x = x, y = 0.0); y = add(x = a, y = 3.0);");
  options.random_inputs = true;
  options.iterations = 2;
  options.output_dir = scratch_ / "out";
  const auto result = anemone::Run(options);
  ASSERT_TRUE(result) << result.failure().ToString();
  const Json document = Parsed(result->json);
  EXPECT_EQ(document["iterations"].integer(), 2);
  ASSERT_EQ(document["outputs"].size(), 1u);
  EXPECT_EQ(document["outputs"][0]["first_values"], Json::Array({3.0, 3.0, 3.0, 3.0}));
  EXPECT_TRUE(fs::exists(scratch_ / "out/y.npy"));
}

TEST_F(Tools, FilesComeWithTheirManifests) {
  ConvertFileOptions convert;
  convert.model = Linear();
  convert.output = scratch_ / "linear.mlpackage";
  convert.convert.minimum_deployment_target = "macOS15";
  std::vector<std::string> stages;
  const auto converted = ConvertFile(
      convert,
      {.progress = [&](const std::string& stage, int64_t, int64_t) { stages.push_back(stage); }});
  ASSERT_TRUE(converted) << converted.failure().ToString();
  EXPECT_EQ(converted->minimum_deployment_target, "iOS18");
  EXPECT_GT(converted->size_bytes, 64 * 64 * 4);
  EXPECT_THAT(stages, testing::Contains(HasSubstr("writing ")));
  EXPECT_EQ(Parsed(test::ReadText(scratch_ / "linear.manifest.json"))["precision"].text(), "fp32");

  CompressFileOptions compress;
  compress.model = convert.output;
  compress.output = scratch_ / "small.mlpackage";
  compress.compress.weight_threshold = 0;
  const auto compressed = CompressFile(compress);
  ASSERT_TRUE(compressed) << compressed.failure().ToString();
  EXPECT_EQ(compressed->compressed, 1);
  EXPECT_LT(compressed->weight_bytes_after, compressed->weight_bytes_before / 3);
  EXPECT_EQ(Parsed(test::ReadText(scratch_ / "small.manifest.json"))["precision"].text(), "int8");

  InspectOptions inspect;
  inspect.model = convert.output;
  inspect.operators = true;
  inspect.placement = true;
  inspect.chip = "m1,m4";
  const auto inspected = Inspect(inspect);
  ASSERT_TRUE(inspected) << inspected.failure().ToString();
  const Json document = Parsed(inspected->json);
  EXPECT_EQ(document["parameters"].integer(), 64 * 64);
  EXPECT_EQ(document["operators"].size(), 1u);
  EXPECT_EQ(document["placement"].size(), 2u);
  EXPECT_THAT(inspected->text, HasSubstr("M4"));

  const auto cancelled = ConvertFile(convert, {.cancelled = [] { return true; }});
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.failure().code, "cancelled");
}

TEST_F(Tools, TheCacheKnowsWhatWasFetched) {
  const std::string cache = scratch_ / "cache";
  FetchOptions fetch;
  fetch.cache_dir = cache;
  fetch.name = "mobilenetv3_small";
  fetch.weights = "seeded";
  fetch.seed = 5;
  const auto fetched = Fetch(fetch);
  ASSERT_TRUE(fetched) << fetched.failure().ToString();
  ASSERT_EQ(fetched->files.size(), 1u);
  EXPECT_EQ(fetched->files[0].checked_against, "seed");
  EXPECT_EQ(static_cast<int64_t>(fs::file_size(fetched->files[0].path)),
            fetched->files[0].size_bytes);

  const auto listed = CacheList({.cache_dir = cache});
  ASSERT_TRUE(listed) << listed.failure().ToString();
  ASSERT_EQ(listed->downloads.size(), 1u);
  EXPECT_EQ(listed->downloads[0].sha256, fetched->files[0].sha256);
  EXPECT_EQ(listed->downloaded_bytes, fetched->files[0].size_bytes);
  EXPECT_TRUE(CacheVerify({.cache_dir = cache})->problems.empty());

  fs::permissions(fetched->files[0].path, fs::perms::owner_all);
  std::ofstream(fetched->files[0].path, std::ios::app) << "damage";
  const auto damaged = CacheVerify({.cache_dir = cache});
  ASSERT_TRUE(damaged) << damaged.failure().ToString();
  EXPECT_EQ(damaged->problems.size(), 1u);

  const auto cleared = CacheClear({.cache_dir = cache});
  ASSERT_TRUE(cleared) << cleared.failure().ToString();
  EXPECT_GE(cleared->downloads_freed_bytes, fetched->files[0].size_bytes);
  EXPECT_TRUE(CacheList({.cache_dir = cache})->downloads.empty());
}

TEST_F(Tools, MatrixHasARowForARecord) {
  const auto matrix =
      Matrix({.record = {"tests/fixtures/runtime/run.jsonl"}, .output = scratch_ / "site"});
  ASSERT_TRUE(matrix) << matrix.failure().ToString();
  ASSERT_EQ(matrix->rows.size(), 1u);
  EXPECT_THAT(matrix->rows[0].device, HasSubstr("Apple M1 \"Pro\""));
  EXPECT_THAT(test::ReadText(scratch_ / "site/index.html"), HasSubstr("Apple M1 &quot;Pro&quot;"));
  EXPECT_EQ(test::ReadText(scratch_ / "site/table.json"), matrix->json);
}

TEST_F(Tools, DoctorAsksAboutTheChips) {
  DoctorOptions options;
  options.model = Linear();
  options.chip = "m2";
  options.samples = 1;
  const auto result = Doctor(options);
  ASSERT_TRUE(result) << result.failure().ToString();
  const Json document = Parsed(result->json);
  ASSERT_EQ(document["model"]["chips"].size(), 1u);
  EXPECT_EQ(document["model"]["chips"][0]["chip"].text(), "m2");
  EXPECT_TRUE(document["model"]["float16"]["passed"].boolean());
}

TEST_F(Tools, PlacementIsScoredAgainstAPlan) {
  test::WriteText(scratch_ / "plan.json", R"({
    "schema": "anemone.compute_plan", "schema_version": 1, "chip": "m4",
    "compute_units": "cpu_and_ne",
    "operations": [
      {"name": "a", "type": "ios17.tan", "preferred": "cpu", "supported": ["cpu"], "cost": 0.75},
      {"name": "elsewhere", "type": "ios17.relu", "preferred": "cpu", "supported": ["cpu"],
       "cost": 0.25}]})");
  PlacementOptions options;
  options.model = Mil("tangent", "tensor<fp16, [1, 64]> x", "a = tan(x = x); y = relu(x = a);");
  options.reports = {scratch_ / "plan.json"};
  const auto score = ScorePlacement(options);
  ASSERT_TRUE(score) << score.failure().ToString();
  EXPECT_EQ(score->all.operations, 1);
  EXPECT_EQ(score->all.units_right, 1);
  EXPECT_EQ(score->all.preferred_right, 1);
  EXPECT_EQ(score->not_in_plan, 1);
  EXPECT_EQ(score->not_in_model, 1);
  ASSERT_EQ(score->by_operator.size(), 1u);
  EXPECT_EQ(score->by_operator[0].name, "tan");
}

TEST_F(Tools, OptionsOutOfRangeAreRefusedByName) {
  const auto parsed = ParseOptions<BenchOptions>(R"({"iterations": 0, "percentile": [50, 101]})");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.failure().code, "usage");
  EXPECT_THAT(parsed.failure().message, HasSubstr("'iterations' is 0: it must be 1 or more"));
  EXPECT_THAT(parsed.failure().message, HasSubstr("'percentile' is 101"));
  const auto compared = Compare({.reference = "a.mil", .variant = "b.mil", .samples = 0});
  ASSERT_FALSE(compared);
  EXPECT_THAT(compared.failure().message, HasSubstr("'samples' is 0"));
}

}  // namespace
}  // namespace anemone
