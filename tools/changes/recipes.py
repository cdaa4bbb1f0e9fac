"""The changes that ARCHITECTURE.md counts, each made for real with a dummy called "sample": new files, lines added to files
that are there, and a proof that the result works. See changes.py."""

from dataclasses import dataclass, field


@dataclass
class Change:
    """`name` is the row of ARCHITECTURE.md; there the dummy's name is NAME, a family's <family>."""

    name: str
    # Path to text.
    files: dict
    # (path, text that is in the file once and ends a line, or None for the file's end; the text to put after it).
    edits: list = field(default_factory=list)
    # What must be built for the proof, beside the command.
    targets: list = field(default_factory=list)
    # Command lines, run in the scratch tree by bash; each must succeed. $ANEMONE and $TESTS/NAME are what was built.
    proofs: list = field(default_factory=list)

    def touched(self):
        return sorted({*self.files, *(path for path, _, _ in self.edits)})


PASS = Change(
    "pass",
    files={
        "src/passes/sample_double_relu.cc": '''\
// relu of relu is relu.
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {

Result<bool> SampleDoubleRelu(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* outer : rewriter.operations()) {
    if (rewriter.IsDead(*outer) || outer->type() != "relu") continue;
    const ir::Operation* inner = OwnedProducer(rewriter, outer->Input("x"), "relu");
    if (inner == nullptr) continue;
    ir::Value* y = rewriter.builder().Op("relu", {{"x", inner->Input("x")}}, outer->name());
    ANEMONE_TRY(rewriter.Commit(*outer));
    rewriter.Replace(outer->output(), y);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
''',
        "src/passes/sample_double_relu.mil": '''\
// case: sample_double_relu keeps one
func main<ios15>(tensor<fp32, [2, 3]> x) {
  a = relu(x = x);
  y = relu(x = a);
} -> (y);
// after
func main<ios15>(tensor<fp32, [2, 3]> x) {
  y = relu(x = x);
} -> (y);
'''},
    edits=[
        ("src/passes/pipeline.cc", 'ANEMONE_PASS(kSilu, "fuse_silu", "recognize silu", FuseSilu)',
         'ANEMONE_PASS(kSampleDoubleRelu, "sample_double_relu", "relu once", SampleDoubleRelu)\n'),
        ("src/passes/pipeline.cc", "      // Patterns of several operations come before the fusions that would take a part of them.",
         '      {"sample", {kSampleDoubleRelu}, true},\n')],
    targets=["anemone_tests_passes"],
    proofs=["$TESTS/anemone_tests_passes --gtest_filter='*sample_double_relu*' | grep -q 'PASSED.* 1 test'",
            "$TESTS/anemone_tests_passes --gtest_filter=Pipeline.EveryPassHasTextTests"])

ARCHITECTURE = Change(
    "architecture",
    files={"src/zoo/sample_net.cc": '''\
// A network of one layer.
#include "zoo/net.h"

namespace anemone::zoo {

void BuildSampleNet(Net& net) {
  Feature x = net.Image(224);
  x = net.GlobalPool(x, "pool");
  net.Classify(x, "fc", {1000, x.channels});
}

}  // namespace anemone::zoo
'''},
    edits=[("src/zoo/architectures.inc",
            'ANEMONE_ARCHITECTURE(BuildResNet50, "resnet50", "ResNet-50 v1.5",\n'
            '                     "timm resnet50, torchvision resnet50", {})',
            'ANEMONE_ARCHITECTURE(BuildSampleNet, "sample_net", "Sample", "none", {})\n')],
    proofs=["$ANEMONE convert sample_net --weights seeded -o sample_net.mlpackage",
            "$ANEMONE inspect sample_net.mlpackage --ops | grep -q linear"])

COMMAND = Change(
    "command",
    files={"src/cli/sample.cc": '''\
// Says hello.
#include <iostream>

#include "cli/command.h"

namespace anemone::cli {

void AddSample(Command app, Context& context) {
  Command command = app.AddCommand("sample", "say hello");
  OnRun(command, context, [] {
    std::cout << "hello\\n";
    return Status();
  });
}

}  // namespace anemone::cli
'''},
    edits=[("src/cli/commands.inc", "ANEMONE_COMMAND(Matrix)", "ANEMONE_COMMAND(Sample)\n")],
    proofs=["$ANEMONE --help | grep -q 'say hello'", "test \"$($ANEMONE sample)\" = hello"])

FAMILY = Change(
    "operator family",
    files={
        "src/ops/sample/def.cc": """\
// An operator of a sample family.
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::sample {

std::vector<OpDef> Defs() {
  return {{.name = "sample_double",
           .doc = "Twice the input: 2 * x.",
           .params = {{.name = "x", .types = "T"}},
           .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
           .infer = InferLikeX,
           .traits = ir::TensorFunction(ir::ElementRule::kComputed, ir::SizeRule::kOfFirst)}};
}

}  // namespace anemone::ops::sample
""",
        "src/ops/sample/kernel.cc": """\
#include "ops/ops.h"

namespace anemone::ops::sample {
namespace {

Status Double(exec::KernelContext& context) {
  ANEMONE_ASSIGN(exec::ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(exec::MutableTensor out, context.Output());
  for (int64_t i = 0; i < out.count(); ++i) out.As<float>()[i] = 2 * x.As<float>()[i];
  return {};
}

constexpr exec::KernelEntry kKernels[] = {{"sample_double", Double}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::sample
""",
        "src/ops/sample/onnx.cc": """\
#include "onnx/converter.h"

namespace anemone::ops::sample {

std::span<const onnx::Converter> OnnxConverters() { return {}; }

}  // namespace anemone::ops::sample
""",
        "src/ops/sample/torch.cc": """\
#include "torch/converter.h"

namespace anemone::ops::sample {

std::span<const torch::Converter> TorchConverters() { return {}; }

}  // namespace anemone::ops::sample
""",
        "src/ops/sample/place.cc": """\
#include "placement/place.h"

namespace anemone::ops::sample {

std::span<const placement::PlaceRule> PlaceRules() {
  static constexpr placement::PlaceRule kRules[] = {
      {"sample_double", placement::YesEverywhere, placement::WorkKind::kElementwise,
       placement::BeliefKind::kMemory}};
  return kRules;
}

}  // namespace anemone::ops::sample
""",
        "src/ops/sample/sample.mil": """\
// case: sample_double doubles
// input: x = tensor<fp32, [2]>([1, -2])
// expect: y = tensor<fp32, [2]>([2, -4])
func main<ios15>(tensor<fp32, [2]> x) {
  y = sample_double(x = x);
} -> (y);
"""},
    edits=[("src/ops/families.inc", "ANEMONE_FAMILY(reduction)", "ANEMONE_FAMILY(sample)\n")],
    targets=["anemone_tests_ops"],
    proofs=["$TESTS/anemone_tests_ops --gtest_filter='*sample_double*' | grep -q 'PASSED.* 1 test'",
            "$TESTS/anemone_tests_ops --gtest_filter='*Table*'"])

OPERATOR = Change(
    "operator of a family",
    files={},
    edits=[
        ("src/ops/pool/def.cc", "  return {avg, l2,", """\
          {.name = "sample_copy",
           .doc = "The same values: x.",
           .params = {{.name = "x", .types = "T"}},
           .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
           .infer = InferLikeX,
           .traits = ir::TensorFunction(ir::ElementRule::kComputed, ir::SizeRule::kOfFirst)},
"""),
        ("src/ops/pool/kernel.cc", "Status MaxPool(KernelContext& context) { return RunPool(context, Largest{}); }", """\
Status Copy(KernelContext& context) {
  ANEMONE_ASSIGN(exec::ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(exec::MutableTensor out, context.Output());
  for (int64_t i = 0; i < out.count(); ++i) out.As<float>()[i] = x.As<float>()[i];
  return {};
}
"""),
        ("src/ops/pool/kernel.cc", "constexpr exec::KernelEntry kKernels[] = {", '    {"sample_copy", Copy},\n'),
        ("src/ops/pool/place.cc", "  static constexpr PlaceRule kRules[] = {",
         '      {"sample_copy", placement::YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},\n'),
        ("src/ops/pool/pool.mil", None, """\
// -----
// case: sample_copy copies
// input: x = tensor<fp32, [2]>([1, -2])
// expect: y = tensor<fp32, [2]>([1, -2])
func main<ios15>(tensor<fp32, [2]> x) {
  y = sample_copy(x = x);
} -> (y);
""")],
    targets=["anemone_tests_ops"],
    proofs=["$TESTS/anemone_tests_ops --gtest_filter='*sample_copy*' | grep -q 'PASSED.* 1 test'"])

METHOD = Change(
    "compression method",
    files={"src/compress/sample_method.cc": """\
// What is below a floor becomes 0.
#include <cmath>

#include "compress/method.h"
#include "compress/sparse_weight.h"

namespace anemone::compress {

const Method& SampleMethod();

namespace {

struct SampleConfig {
  double floor = 1e-3;
  int64_t weight_threshold = kDefaultWeightThreshold;

  static const Method& method() { return SampleMethod(); }
  friend bool operator==(const SampleConfig&, const SampleConfig&) = default;
};

class Sample final : public Method {
 public:
  std::string_view config_type() const override { return "OpSampleConfig"; }
  OpConfig Default() const override { return SampleConfig(); }
  ConfigTable FieldsOf(OpConfig& config) const override {
    SampleConfig& sample = *config.As<SampleConfig>();
    return {{.key = "floor", .field = &sample.floor},
            {.key = "weight_threshold", .field = &sample.weight_threshold}};
  }
  Status Check(const OpConfig&) const override { return {}; }
  OpsetNeed NeedOf(const OpConfig&) const override { return SparseNeed(); }
  bool Takes(SiteKind kind, bool joint) const override { return TakesSparse(kind, joint); }

  Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                   const EncodeInput& input) const override {
    ANEMONE_TRY(CheckFinite(input.weight));
    const std::vector<float> values = *input.weight.AsFloats();
    std::vector<uint8_t> mask(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      mask[i] = std::abs(values[i]) > config.As<SampleConfig>()->floor ? 1 : 0;
    }
    ANEMONE_ASSIGN(SparseTensor sparse, KeepMasked(input.weight, values, std::move(mask)));
    return MakeSparseWeight(std::move(sparse));
  }
};

}  // namespace

const Method& SampleMethod() {
  static const Sample method;
  return method;
}

}  // namespace anemone::compress
"""},
    edits=[("src/compress/methods.inc", "ANEMONE_COMPRESSION_METHOD(MagnitudePruning)",
            "ANEMONE_COMPRESSION_METHOD(SampleMethod)\n")],
    proofs=["$ANEMONE convert mobilenetv3_small --weights seeded -o plain.mlpackage",
            """echo '{"config_type": "OpSampleConfig", "global_config": {"floor": 0.01}}' > sample.json""",
            "$ANEMONE compress plain.mlpackage --config sample.json -o compressed.mlpackage --json > compressed.json",
            "grep -q OpSampleConfig compressed.json"])

GATE_CHECK = Change(
    "gate check",
    files={"src/gate/check_sample.cc": """\
// Whether it is a model at all.
#include "gate/check.h"

namespace anemone::gate {
namespace {

struct SamplePolicy : LimitsOf<SamplePolicy> {
  int64_t least = 1;

  void Visit(LimitVisitor& visitor) override { visitor.Count("least", least, 0, 100); }
};

CheckResult Judge(const SamplePolicy& limits, const Policy&, const Evidence&, CheckResult result) {
  result.limit = fmt::format("at least {}", limits.least);
  result.value = "1 model";
  result.verdict = limits.least <= 1 ? Verdict::kPass : Verdict::kFail;
  return result;
}

}  // namespace

Check SampleCheck() {
  return MakeCheck<SamplePolicy, Judge>(
      {.key = "sample", .title = "A sample", .needs = {}, .passes_when = "it is a model"});
}

}  // namespace anemone::gate
"""},
    edits=[("src/gate/checks.inc", "ANEMONE_GATE_CHECK(Logs)", "ANEMONE_GATE_CHECK(Sample)\n")],
    proofs=["""echo '{"schema": "anemone.gate_policy", "schema_version": 1, "name": "sample",""" +
            """ "checks": {"sample": {"least": 1}}}' > sample_policy.json""",
            "$ANEMONE gate --record tests/fixtures/runtime/run.jsonl --policy sample_policy.json --json > gate.json || true",
            """grep -A3 '"name": "sample"' gate.json | grep -q PASS"""])

OPTION = Change(
    "option",
    files={},
    edits=[
        ("include/anemone/options.h", "  bool placement = false;", "  bool sample = false;\n"),
        ("src/options/inspect.cc",
         '      {.name = "weights", .field = &options.list_weights, .help = "list every weight tensor"},',
         '      {.name = "sample", .field = &options.sample, .help = "say hello in the document"},\n'),
        ("src/facade/inspect_model.cc",
         "      InspectJson(model, summary, options.model, options.operators, options.list_weights);",
         '  if (options.sample) document["sample"] = "hello";\n'),
        ("tests/unit/facade/tools_test.cc",
         """  EXPECT_THAT(compared.failure().message, HasSubstr("'samples' is 0"));\n}""",
         """
TEST_F(Tools, InspectSaysHello) {
  InspectOptions options;
  options.model = Linear();
  EXPECT_FALSE(Parsed(Inspect(options)->json).contains("sample"));
  options.sample = true;
  EXPECT_EQ(Parsed(Inspect(options)->json)["sample"].text(), "hello");
}
""")],
    targets=["anemone_tests_facade", "anemone_tests_options"],
    proofs=["$ANEMONE inspect tests/fixtures/packages/array_default.mlpackage --sample --json | grep -q hello",
            "$TESTS/anemone_tests_facade --gtest_filter=Tools.InspectSaysHello | grep -q 'PASSED.* 1 test'",
            "$TESTS/anemone_tests_options",
            "python3 tools/options.py --command $ANEMONE && python3 tools/options.py --command $ANEMONE --check",
            "grep -q 'say hello in the document' docs/options.md && grep -q 'sample: bool' python/anemone/__init__.pyi"])

CHANGES = [OPERATOR, FAMILY, PASS, ARCHITECTURE, METHOD, GATE_CHECK, OPTION, COMMAND]
