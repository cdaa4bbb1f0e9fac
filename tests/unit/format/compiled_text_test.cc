// Apple's MIL text: what is printed, what is read, in both dialects. The expected lines are those of
// public compiled models.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "format/mil_text.h"
#include "format/mil_text_values.h"
#include "format/proto/model.pb.h"

namespace anemone::format {
namespace {

std::string FloatText(double value) {
  std::string text;
  AppendMilFloat(value, &text);
  return text;
}

TEST(CompiledTextTest, FloatsAreHexadecimalWithALeadingOne) {
  EXPECT_EQ(FloatText(0), "0x0p+0");
  EXPECT_EQ(FloatText(-0.0), "-0x0p+0");
  EXPECT_EQ(FloatText(1), "0x1p+0");
  EXPECT_EQ(FloatText(-0.1875), "-0x1.8p-3");
  EXPECT_EQ(FloatText(0.1f), "0x1.99999ap-4");
  EXPECT_EQ(FloatText(65504), "0x1.ffcp+15");
  EXPECT_EQ(FloatText(std::ldexp(1, -24)), "0x1p-24");  // the smallest half
  EXPECT_EQ(FloatText(std::numeric_limits<double>::denorm_min()), "0x1p-1074");
  EXPECT_EQ(FloatText(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(FloatText(std::nan("")), "nan");
}

TEST(CompiledTextTest, StringsKeepWhatIsKnown) {
  std::string text;
  ASSERT_TRUE(AppendMilString("a \"b\"/c:1", &text).ok());
  EXPECT_EQ(text, "\"a \\\"b\\\"/c:1\"");
  for (const char* unknown : {"a\\b", "a\nb", "\xC3\xA9", "\x7F"}) {
    const Status status = AppendMilString(unknown, &text);
    ASSERT_FALSE(status.ok()) << unknown;
    EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  }
}

struct Dialect {
  std::string_view name;
  int32_t specification;
  std::string_view text;
};

// Every form of a statement, as `program` shows them; the two texts say the same.
const Dialect kDialects[] = {
    {"ScalarsAsTensors", 7, R"(program(1.0)
[buildInfo = dict<tensor<string, []>, tensor<string, []>>({{"coremlc-component-MIL", "3500.14.1"}, {"coremlc-version", "3500.32.1"}, {"coremltools-version", "9.0"}})]
{
    func main<ios16>(tensor<fp16, [4, 8]> a, tensor<fp32, [?, 8]> b) {
            tensor<int32, []> axis = const()[name = tensor<string, []>("axis"), val = tensor<int32, []>(-1)];
            tensor<bool, []> no = const()[val = tensor<bool, []>(false)];
            tensor<int32, [2, 2]> table = const()[name = tensor<string, []>("table"), val = tensor<int32, [2, 2]>([[1, 2], [3, -4]])];
            tensor<string, [2]> words = const()[val = tensor<string, [2]>(["p", "q"])];
            tensor<int32, [0]> none = const()[val = tensor<int32, [0]>([])];
            tensor<fp16, [4, 8]> w = constexpr_affine_dequantize()[axis = tensor<int32, []>(0), name = tensor<string, []>("w_q"), quantized_data = tensor<int8, [4, 8]>(BLOBFILE(path = tensor<string, []>("@model_path/weights/weight.bin"), offset = tensor<uint64, []>(64))), scale = tensor<fp16, []>(0x1p-1), zero_point = tensor<int8, []>(-1)];
            tensor<fp16, [4, 8]> v = constexpr_lut_to_dense()[indices = tensor<uint8, [8]>(BLOBFILE(path = tensor<string, []>("@model_path/weights/weight.bin"), offset = tensor<uint64, []>(192))), lut = tensor<fp16, [4]>([-0x1.48p-1, 0x0p+0, 0x1p-24, inf]), name = tensor<string, []>("v_q"), shape = tensor<uint32, [2]>([4, 8])];
            tensor<fp16, [4, 8]> c = concat(axis = axis, interleave = no, values = (a, w))[name = tensor<string, []>("c_op")];
            tensor<fp16, [2, 8]> s0, tensor<fp16, [2, 8]> s1 = split(axis = axis, num_splits = tensor<int32, []>(2), x = c)[name = tensor<string, []>("s")];
            tensor<fp32, [?, 8]> r = relu(x = b);
        } -> (s1, s0, r);
})"},
    {"PlainScalars", 9, R"(program(1.3)
[buildInfo = dict<string, string>({{"coremlc-component-MIL", "3500.14.1"}, {"coremlc-version", "3500.32.1"}, {"coremltools-version", "9.0"}})]
{
    func main<ios16>(tensor<fp16, [4, 8]> a, tensor<fp32, [?, 8]> b) {
            int32 axis = const()[name = string("axis"), val = int32(-1)];
            bool no = const()[val = bool(false)];
            tensor<int32, [2, 2]> table = const()[name = string("table"), val = tensor<int32, [2, 2]>([[1, 2], [3, -4]])];
            tensor<string, [2]> words = const()[val = tensor<string, [2]>(["p", "q"])];
            tensor<int32, [0]> none = const()[val = tensor<int32, [0]>([])];
            tensor<fp16, [4, 8]> w = constexpr_affine_dequantize()[axis = int32(0), name = string("w_q"), quantized_data = tensor<int8, [4, 8]>(BLOBFILE(path = string("@model_path/weights/weight.bin"), offset = uint64(64))), scale = fp16(0x1p-1), zero_point = int8(-1)];
            tensor<fp16, [4, 8]> v = constexpr_lut_to_dense()[indices = tensor<uint8, [8]>(BLOBFILE(path = string("@model_path/weights/weight.bin"), offset = uint64(192))), lut = tensor<fp16, [4]>([-0x1.48p-1, 0x0p+0, 0x1p-24, inf]), name = string("v_q"), shape = tensor<uint32, [2]>([4, 8])];
            tensor<fp16, [4, 8]> c = concat(axis = axis, interleave = no, values = (a, w))[name = string("c_op")];
            tensor<fp16, [2, 8]> s0, tensor<fp16, [2, 8]> s1 = split(axis = axis, num_splits = int32(2), x = c)[name = string("s")];
            tensor<fp32, [?, 8]> r = relu(x = b);
        } -> (s1, s0, r);
})"},
};

proto::Model ModelOf(proto::Program program, int32_t specification) {
  proto::Model model;
  model.set_specificationversion(specification);
  *model.mutable_mlprogram() = std::move(program);
  return model;
}

TEST(CompiledTextTest, BothDialectsPrintAsTheyWereRead) {
  std::vector<std::string> messages;
  for (const Dialect& dialect : kDialects) {
    SCOPED_TRACE(dialect.name);
    auto text = ParseMilText(dialect.text);
    ASSERT_TRUE(text.ok()) << text.error().ToString();
    messages.push_back(text->program.SerializeAsString());
    const auto printed = PrintMilText(ModelOf(std::move(text->program), dialect.specification));
    ASSERT_TRUE(printed.ok()) << printed.error().ToString();
    EXPECT_EQ(*printed, dialect.text);
  }
  EXPECT_EQ(messages[0], messages[1]) << "the dialects say the same";
}

TEST(CompiledTextTest, NamesAreSortedAndOutputsAreNot) {
  auto text =
      ParseMilText(R"(program(1.0) { func main<ios15>(tensor<fp32, [1]> z, tensor<fp32, [1]> a) {
      tensor<fp32, [1]> y = add(y = a, x = z)[zeta = tensor<int32, []>(1), Alpha = tensor<int32, []>(2)];
    } -> (z, y); })");
  ASSERT_TRUE(text.ok()) << text.error().ToString();
  const auto printed = PrintMilText(ModelOf(std::move(text->program), 6));
  ASSERT_TRUE(printed.ok()) << printed.error().ToString();
  EXPECT_NE(printed->find("func main<ios15>(tensor<fp32, [1]> a, tensor<fp32, [1]> z) {\n"
                          "            tensor<fp32, [1]> y = add(x = z, y = a)"
                          "[Alpha = tensor<int32, []>(2), zeta = tensor<int32, []>(1)];\n"
                          "        } -> (z, y);\n}"),
            std::string::npos)
      << *printed;
}

constexpr std::string_view kRanges =
    " [FlexibleShapeInformation = tuple<tuple<string, dict<string, tensor<int32, [?]>>>, "
    "tuple<string, dict<string, list<tensor<int32, [2]>, ?>>>>(((\"DefaultShapes\", {{\"a\", [1, "
    "4]}, {\"x\", [2]}}), (\"RangeDims\", {{\"a\", [[1, 1], [1, 64]]}, {\"x\", [[0, 4]]}})))] {";

TEST(CompiledTextTest, RangesComeFromTheDescription) {
  const std::string source =
      "program(1.3) { func main<ios17>(tensor<fp32, [1, ?]> a, tensor<fp32, [?]> x)" +
      std::string(kRanges) + " } -> (x); }";
  auto text = ParseMilText(source);
  ASSERT_TRUE(text.ok()) << text.error().ToString();
  const FlexibleShapes& shapes = text->flexible.at("main");
  EXPECT_EQ(shapes.at("a").default_shape, (ir::Shape{1, 4}));
  EXPECT_EQ(shapes.at("a").ranges, (std::vector<ir::SizeRange>{{1, 1}, {1, 64}}));
  EXPECT_EQ(shapes.at("x").ranges, (std::vector<ir::SizeRange>{{0, 4}}));

  proto::Model model = ModelOf(std::move(text->program), 9);
  const auto add = [&](const char* name, std::vector<int64_t> shape,
                       std::vector<std::pair<uint64_t, int64_t>> ranges) {
    auto* input = model.mutable_description()->add_input();
    input->set_name(name);
    auto* array = input->mutable_type()->mutable_multiarraytype();
    for (const int64_t size : shape) array->add_shape(size);
    for (const auto& [lower, upper] : ranges) {
      auto* range = array->mutable_shaperange()->add_sizeranges();
      range->set_lowerbound(lower);
      range->set_upperbound(upper);
    }
  };
  add("x", {2}, {{0, 4}});
  add("a", {1, 4}, {{1, 1}, {1, 64}});
  const auto printed = PrintMilText(model);
  ASSERT_TRUE(printed.ok()) << printed.error().ToString();
  EXPECT_NE(printed->find(kRanges), std::string::npos) << *printed;

  // No public file shows a range without an end, nor the keys of enumerated shapes.
  auto* array =
      model.mutable_description()->mutable_input(0)->mutable_type()->mutable_multiarraytype();
  array->mutable_shaperange()->mutable_sizeranges(0)->set_upperbound(-1);
  EXPECT_EQ(PrintMilText(model).error().code(), ErrorCode::kUnsupported);
  array->mutable_enumeratedshapes()->add_shapes()->add_shape(1);
  EXPECT_NE(PrintMilText(model).error().message().find("enumerated"), std::string::npos);
}

TEST(CompiledTextTest, EnumeratedShapesAreRead) {
  const auto text = ParseMilText(
      R"(program(1.0) { func main<ios16>(tensor<fp32, [?]> x) [FlexibleShapeInformation = tuple<tuple<tensor<string, []>, dict<tensor<string, []>, tensor<int32, [?]>>>, tuple<tensor<string, []>, dict<tensor<string, []>, dict<tensor<string, []>, tensor<int32, [?]>>>>>((("DefaultShapes", {{"x", [1]}}), ("EnumeratedShapes", {{"543d0f94", {{"x", [1]}}}, {"697b758f", {{"x", [2]}}}})))] { } -> (x); })");
  ASSERT_TRUE(text.ok()) << text.error().ToString();
  const FlexibleShape& shape = text->flexible.at("main").at("x");
  EXPECT_EQ(shape.default_shape, (ir::Shape{1}));
  EXPECT_EQ(shape.enumerated, (std::vector<ir::Shape>{{1}, {2}}));
}

TEST(CompiledTextTest, StatesAndOperationsWithoutOutputsAreRead) {
  const auto text = ParseMilText(
      R"(program(1.3) { func main<ios18>(state<tensor<fp16, [1, 8]>> kv, tensor<fp16, [1, 8]> x) {
        tensor<fp16, [1, 8]> old = read_state(input = kv)[name = string("old")];
        write_state(data = x, input = kv)[name = string("kv_write")];
      } -> (old); })");
  ASSERT_TRUE(text.ok()) << text.error().ToString();
  const auto& function = text->program.functions(0).value();
  EXPECT_TRUE(function.inputs(0).type().has_statetype());
  const auto& body = function.block_specializations(0).value();
  ASSERT_EQ(body.operations_size(), 2);
  EXPECT_EQ(body.operations(1).outputs_size(), 0);
  // Nobody has shown how Core ML's compiler writes them.
  EXPECT_EQ(PrintMilText(ModelOf(text->program, 9)).error().code(), ErrorCode::kUnsupported);
}

struct Refused {
  std::string_view name;
  std::string_view rule;
  std::string_view statement;  // of a function with the input tensor<fp32, [2]> x
  ErrorCode code = ErrorCode::kInvalidInput;
};

TEST(CompiledTextTest, BadStatementsAreRefusedWithTheirPlace) {
  const Refused cases[] = {
      {"Unterminated", "not terminated",
       "tensor<string, []> s = const()[val = tensor<string, []>(\"a"},
      {"Count", "holds 1 values, not 2",
       "tensor<int32, [2]> c = const()[val = tensor<int32, [2]>([1])];"},
      {"HugeShape", "holds 1 values",
       "tensor<int32, [99999999999, 9]> c = const()[val = tensor<int32, [99999999999, "
       "9]>([[1]])];"},
      {"HugeDimension", "too large",
       "tensor<int32, [99999999999999999999]> c = const()[val = tensor<int32, [1]>([1])];"},
      {"NestedTooDeep", "expected a value",
       "tensor<int32, [1]> c = const()[val = tensor<int32, [1]>([[[[[[[[1]]]]]]]])];"},
      {"TypesTooDeep", "nest more than",
       "list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<"
       "list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<list<"
       "list<"},
      {"IntOverflow", "does not fit",
       "tensor<int8, [1]> c = const()[val = tensor<int8, [1]>([128])];"},
      {"UnsignedMinus", "not an integer",
       "tensor<uint64, []> c = const()[val = tensor<uint64, []>(-1)];"},
      {"NotABool", "true or false", "tensor<bool, []> c = const()[val = tensor<bool, []>(1)];"},
      {"NotANumber", "not a number",
       "tensor<fp32, []> c = const()[val = tensor<fp32, []>(0x1.8q2)];"},
      {"TwoSigns", "not a number", "tensor<fp32, []> c = const()[val = tensor<fp32, []>(--1)];"},
      {"HugePower", "not a number",
       "tensor<fp32, []> c = const()[val = tensor<fp32, []>(0x1p+99999999)];"},
      {"StringForANumber", "expected a value",
       "tensor<fp32, []> c = const()[val = tensor<fp32, []>(\"1\")];"},
      {"BlobWithoutOffset", "expected 'offset'",
       "tensor<fp32, [2]> c = const()[val = tensor<fp32, [2]>(BLOBFILE(path = "
       "tensor<string, []>(\"w\"), off = tensor<uint64, []>(64)))];"},
      {"BlobOffsetNotUnsigned", "BLOBFILE takes",
       "tensor<fp32, [2]> c = const()[val = tensor<fp32, [2]>(BLOBFILE(path = "
       "tensor<string, []>(\"w\"), offset = tensor<int32, []>(64)))];"},
      {"ControlFlow", "nested blocks", "tensor<fp32, [2]> y = cond(pred = x) (",
       ErrorCode::kUnsupported},
      {"ElementType", "unknown element type", "tensor<fp99, [2]> y = relu(x = x);"},
      {"NoSemicolon", "expected ';'", "tensor<fp32, [2]> y = relu(x = x)"},
  };
  for (const Refused& bad : cases) {
    SCOPED_TRACE(bad.name);
    const std::string source = "program(1.0)\n{ func main<ios15>(tensor<fp32, [2]> x) {\n" +
                               std::string(bad.statement) + "\n} -> (x); }";
    const auto text = ParseMilText(source);
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(text.error().code(), bad.code);
    EXPECT_NE(text.error().ToString().find(bad.rule), std::string::npos) << text.error().ToString();
    if (bad.code == ErrorCode::kInvalidInput) {
      EXPECT_NE(text.error().ToString().find("line "), std::string::npos)
          << text.error().ToString();
    }
  }
  for (const char* source : {"", "program", "program(2.0) { }", "program(1.0) {",
                             "program(1.0) { func f<ios99>() {} -> (); }", "program(1.0) { } x"}) {
    EXPECT_EQ(ParseMilText(source).error().code(), ErrorCode::kInvalidInput) << source;
  }
}

}  // namespace
}  // namespace anemone::format
