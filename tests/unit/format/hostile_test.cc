// Model files that break the rules, on purpose or by damage. Each is refused with its place and its
// rule; none crashes, asks for memory out of proportion, or is half accepted.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/mapped_file.h"
#include "format/package.h"
#include "format/proto/model.pb.h"
#include "format/type_codec.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/mutations.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;

void SetTensor(proto::ValueType* type, int32_t dtype, std::initializer_list<uint64_t> shape) {
  type->mutable_tensortype()->set_datatype(dtype);
  type->mutable_tensortype()->set_rank(static_cast<int64_t>(shape.size()));
  for (const uint64_t size : shape) {
    type->mutable_tensortype()->add_dimensions()->mutable_constant()->set_size(size);
  }
}

void AddFeature(proto::FeatureDescription* feature, std::string_view name,
                std::initializer_list<int64_t> shape) {
  feature->set_name(std::string(name));
  feature->mutable_type()->mutable_multiarraytype()->set_datatype(65568);
  for (const int64_t size : shape)
    feature->mutable_type()->mutable_multiarraytype()->add_shape(size);
}

constexpr int32_t kFp32 = 11;
constexpr int32_t kInt32 = 23;

// main(x: fp32[2, 3]) { c = const; out = add(x, c) } -> out
proto::Model GoodModel() {
  proto::Model model;
  model.set_specificationversion(6);
  AddFeature(model.mutable_description()->add_input(), "x", {2, 3});
  AddFeature(model.mutable_description()->add_output(), "out", {2, 3});
  auto* program = model.mutable_mlprogram();
  program->set_version(1);
  auto* entry = program->add_functions();
  entry->set_key("main");
  auto* function = entry->mutable_value();
  function->set_opset("CoreML5");
  auto* input = function->add_inputs();
  input->set_name("x");
  SetTensor(input->mutable_type(), kFp32, {2, 3});
  auto* specialization = function->add_block_specializations();
  specialization->set_key("CoreML5");
  auto* block = specialization->mutable_value();
  auto* constant = block->add_operations();
  constant->set_type("const");
  auto* value = constant->add_attributes();
  value->set_key("val");
  SetTensor(value->mutable_value()->mutable_type(), kFp32, {3});
  auto* floats =
      value->mutable_value()->mutable_immediatevalue()->mutable_tensor()->mutable_floats();
  for (const float f : {1.0f, 2.0f, 3.0f}) floats->add_values(f);
  auto* output = constant->add_outputs();
  output->set_name("c");
  SetTensor(output->mutable_type(), kFp32, {3});
  auto* add = block->add_operations();
  add->set_type("add");
  for (const auto& [parameter, name] : {std::pair("x", "x"), std::pair("y", "c")}) {
    auto* argument = add->add_inputs();
    argument->set_key(parameter);
    argument->mutable_value()->add_arguments()->set_name(name);
  }
  auto* sum = add->add_outputs();
  sum->set_name("out");
  SetTensor(sum->mutable_type(), kFp32, {2, 3});
  block->add_outputs("out");
  return model;
}

proto::Function* MainOf(proto::Model& model) {
  return model.mutable_mlprogram()->mutable_functions(0)->mutable_value();
}
proto::Block* BlockOf(proto::Model& model) {
  return MainOf(model)->mutable_block_specializations(0)->mutable_value();
}
proto::Operation* ConstOf(proto::Model& model) { return BlockOf(model)->mutable_operations(0); }
proto::Operation* AddOf(proto::Model& model) { return BlockOf(model)->mutable_operations(1); }
proto::Value* ValueOf(proto::Model& model) {
  return ConstOf(model)->mutable_attributes(0)->mutable_value();
}

Result<ir::Model> ReadModelText(const std::string& bytes, const std::string& folder = "/nowhere") {
  return ReadModelBytes(Bytes::Copy(bytes.data(), bytes.size()), "model.mlmodel", folder);
}

struct Case {
  std::string_view name;
  std::string_view rule;  // in the message
  std::function<void(proto::Model&)> damage;
  ErrorCode code = ErrorCode::kInvalidInput;
};

const std::vector<Case>& Cases() {
  using M = proto::Model;
  static const std::vector<Case> kCases = {
      // The model
      {"NoType", "holds no model", [](M& m) { m.clear_mlprogram(); }},
      {"NeuralNetwork", "the model is a neuralNetwork", [](M& m) { m.set_neuralnetwork("x"); },
       ErrorCode::kUnsupported},
      {"Pipeline", "the model is a pipeline, not a program", [](M& m) { m.mutable_pipeline(); },
       ErrorCode::kUnsupported},
      {"OldSpecification", "has no ML Programs", [](M& m) { m.set_specificationversion(5); }},
      {"NegativeSpecification", "has no ML Programs", [](M& m) { m.set_specificationversion(-1); }},
      {"NewSpecification", "newer than 10", [](M& m) { m.set_specificationversion(11); },
       ErrorCode::kUnsupported},
      // The program
      {"ProgramVersion", "program version 2", [](M& m) { m.mutable_mlprogram()->set_version(2); }},
      {"NoFunction", "no function", [](M& m) { m.mutable_mlprogram()->clear_functions(); }},
      {"TwiceTheFunction", "function 'main' occurs twice",
       [](M& m) { *m.mutable_mlprogram()->add_functions() = m.mlprogram().functions(0); }},
      {"NamelessFunction", "function is empty",
       [](M& m) { m.mutable_mlprogram()->mutable_functions(0)->set_key(""); }},
      {"NewOpset", "op set 'CoreML10'",
       [](M& m) {
         MainOf(m)->set_opset("CoreML10");
         MainOf(m)->mutable_block_specializations(0)->set_key("CoreML10");
       },
       ErrorCode::kUnsupported},
      {"OpsetBeyondSpecification", "needs specification version 9, but the model declares 6",
       [](M& m) {
         MainOf(m)->set_opset("CoreML8");
         MainOf(m)->mutable_block_specializations(0)->set_key("CoreML8");
       }},
      {"NoBlockForTheOpset", "no block for the op set",
       [](M& m) { MainOf(m)->set_opset("CoreML6"); }},
      {"NotUtf8", "the op set is not UTF-8", [](M& m) { MainOf(m)->set_opset("\xC0\x80"); }},
      // Values and their names
      {"NameTwice", "value 'c' is defined twice",
       [](M& m) { AddOf(m)->mutable_outputs(0)->set_name("c"); }},
      {"NameOfAnInput", "value 'x' is defined twice",
       [](M& m) { ConstOf(m)->mutable_outputs(0)->set_name("x"); }},
      {"EmptyName", "output's name is empty",
       [](M& m) { AddOf(m)->mutable_outputs(0)->set_name(""); }},
      {"NameWithControlCharacter", "control character",
       [](M& m) { AddOf(m)->mutable_outputs(0)->set_name("a\nb"); }},
      {"HugeName", "the limit is 65536",
       [](M& m) { AddOf(m)->mutable_outputs(0)->set_name(std::string(70000, 'a')); }},
      {"UndefinedValue", "value 'nothing' is used before it is defined",
       [](M& m) {
         AddOf(m)->mutable_inputs(1)->mutable_value()->mutable_arguments(0)->set_name("nothing");
       }},
      {"Cycle", "value 'out' is used before it is defined",
       [](M& m) {
         AddOf(m)->mutable_inputs(1)->mutable_value()->mutable_arguments(0)->set_name("out");
       }},
      {"UndefinedOutput", "block outputs: value 'nothing'",
       [](M& m) { BlockOf(m)->set_outputs(0, "nothing"); }},
      {"ParameterTwice", "parameter 'x' occurs twice",
       [](M& m) { AddOf(m)->mutable_inputs(1)->set_key("x"); }},
      {"EmptyBinding", "neither a name nor a value",
       [](M& m) {
         AddOf(m)->mutable_inputs(1)->mutable_value()->mutable_arguments(0)->clear_name();
       }},
      {"AttributeTwice", "attribute 'val' occurs twice",
       [](M& m) { *ConstOf(m)->add_attributes() = ConstOf(m)->attributes(0); }},
      // Types
      {"UnknownElementType", "element type 99 is not known",
       [](M& m) {
         MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype()->set_datatype(99);
       }},
      {"Float8", "float8e5m2",
       [](M& m) {
         MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype()->set_datatype(41);
       },
       ErrorCode::kUnsupported},
      {"MissingType", "a type is missing",
       [](M& m) { MainOf(m)->mutable_inputs(0)->clear_type(); }},
      {"RankOtherThanDimensions", "rank 7 has 2 dimensions",
       [](M& m) {
         MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype()->set_rank(7);
       }},
      {"EmptyDimension", "neither constant nor unknown",
       [](M& m) {
         auto* type = MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype();
         type->mutable_dimensions(0)->clear_constant();
       }},
      {"HugeDimension", "a dimension of 1099511627776 exceeds the limit",
       [](M& m) {
         auto* type = MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype();
         type->mutable_dimensions(0)->mutable_constant()->set_size(uint64_t{1} << 40);
       }},
      {"NegativeDimension", "a dimension of 18446744073709551615 exceeds the limit",
       [](M& m) {
         auto* type = MainOf(m)->mutable_inputs(0)->mutable_type()->mutable_tensortype();
         type->mutable_dimensions(0)->mutable_constant()->set_size(UINT64_MAX);
       }},
      {"HugeProduct", "exceeds the limit of 34359738368 elements",
       [](M& m) {
         auto* type = MainOf(m)->mutable_inputs(0)->mutable_type();
         type->clear_tensortype();
         SetTensor(type, kFp32, {1u << 20, 1u << 20});
       }},
      {"ProductThatOverflows", "exceeds the limit of 34359738368 elements",
       [](M& m) {
         auto* type = MainOf(m)->mutable_inputs(0)->mutable_type();
         type->clear_tensortype();
         SetTensor(type, kFp32, {1u << 30, 1u << 30, 1u << 30});
       }},
      // Constants
      {"ConstantWithoutValue", "neither an immediate value nor",
       [](M& m) { ValueOf(m)->clear_immediatevalue(); }},
      {"ConstantWithoutVal", "attribute 'val' is missing",
       [](M& m) { ConstOf(m)->mutable_attributes(0)->set_key("value"); }},
      {"ConstantWithInputs", "must have no inputs",
       [](M& m) { *ConstOf(m)->add_inputs() = AddOf(m)->inputs(0); }},
      {"TooFewValues", "has 2 values",
       [](M& m) {
         ValueOf(m)
             ->mutable_immediatevalue()
             ->mutable_tensor()
             ->mutable_floats()
             ->mutable_values()
             ->RemoveLast();
       }},
      {"ManyValuesPromised", "has 3 values",
       [](M& m) {
         for (auto* type :
              {ValueOf(m)->mutable_type(), ConstOf(m)->mutable_outputs(0)->mutable_type()}) {
           type->mutable_tensortype()->mutable_dimensions(0)->mutable_constant()->set_size(
               uint64_t{1} << 34);
         }
       }},
      {"ValuesOfAnotherType", "holds values of another type",
       [](M& m) {
         ValueOf(m)->mutable_immediatevalue()->mutable_tensor()->mutable_doubles()->add_values(1);
       }},
      {"BytesOfAnotherSize", "takes 12 bytes, but 5 are given",
       [](M& m) {
         ValueOf(m)->mutable_immediatevalue()->mutable_tensor()->mutable_bytes()->set_values(
             "12345");
       }},
      {"IntegerOutOfRange", "value 300 does not fit int8",
       [](M& m) {
         for (auto* type :
              {ValueOf(m)->mutable_type(), ConstOf(m)->mutable_outputs(0)->mutable_type()}) {
           type->mutable_tensortype()->set_datatype(21);
         }
         auto* ints = ValueOf(m)->mutable_immediatevalue()->mutable_tensor()->mutable_ints();
         for (const int value : {1, 2, 300}) ints->add_values(value);
       }},
      {"ConstantOfAnotherType", "the constant's value has the type",
       [](M& m) {
         ConstOf(m)->mutable_outputs(0)->mutable_type()->mutable_tensortype()->set_datatype(kInt32);
       }},
      {"ConstantOfUnknownShape", "cannot have the type",
       [](M& m) {
         auto* type = ValueOf(m)->mutable_type()->mutable_tensortype();
         type->mutable_dimensions(0)->mutable_unknown();
       }},
      {"ListShorterThanItsType", "has 0 values",
       [](M& m) {
         auto* value = ValueOf(m);
         value->clear_type();
         SetTensor(value->mutable_type()->mutable_listtype()->mutable_type(), kFp32, {});
         value->mutable_type()->mutable_listtype()->mutable_length()->mutable_constant()->set_size(
             3);
         value->mutable_immediatevalue()->mutable_list();
       }},
      // Weight files
      {"WeightsOutside", "must be relative and stay inside the package",
       [](M& m) {
         ValueOf(m)->mutable_blobfilevalue()->set_filename("@model_path/../../../etc/passwd");
       }},
      {"WeightsAbsolute", "must be relative and stay inside the package",
       [](M& m) { ValueOf(m)->mutable_blobfilevalue()->set_filename("/etc/passwd"); }},
      {"WeightsWithoutName", "a weight file's name is empty",
       [](M& m) { ValueOf(m)->mutable_blobfilevalue()->set_offset(64); }},
      {"WeightsOfAList", "a constant in a weight file cannot have the type",
       [](M& m) {
         ValueOf(m)->clear_type();
         SetTensor(ValueOf(m)->mutable_type()->mutable_listtype()->mutable_type(), kFp32, {});
         ValueOf(m)
             ->mutable_type()
             ->mutable_listtype()
             ->mutable_length()
             ->mutable_constant()
             ->set_size(3);
         ValueOf(m)->mutable_blobfilevalue()->set_filename("@model_path/weights/weight.bin");
       }},
      // The description
      {"FeatureTwice", "input feature 'x': the name occurs twice",
       [](M& m) { *m.mutable_description()->add_input() = m.description().input(0); }},
      {"OutputTwiceOfTwoTypes", "output feature 'out': the name occurs twice",
       [](M& m) { AddFeature(m.mutable_description()->add_output(), "out", {6}); }},
      {"FeatureOfNothing", "feature 'y' is not an input",
       [](M& m) { AddFeature(m.mutable_description()->add_input(), "y", {1}); }},
      {"InputNotDescribed", "input 'x' of the function is not described",
       [](M& m) { m.mutable_description()->clear_input(); }},
      {"OutputOfNothing", "feature 'y' is not an output",
       [](M& m) { AddFeature(m.mutable_description()->add_output(), "y", {1}); }},
      {"FeatureWithoutType", "the feature has no type",
       [](M& m) { m.mutable_description()->mutable_input(0)->clear_type(); }},
      {"FeatureShape", "size -1 is out of range",
       [](M& m) {
         m.mutable_description()
             ->mutable_input(0)
             ->mutable_type()
             ->mutable_multiarraytype()
             ->set_shape(0, -1);
       }},
      {"FeatureShapeHuge", "out of range",
       [](M& m) {
         m.mutable_description()
             ->mutable_input(0)
             ->mutable_type()
             ->mutable_multiarraytype()
             ->set_shape(0, int64_t{1} << 40);
       }},
      {"ColorSpace", "color space 7",
       [](M& m) {
         m.mutable_description()
             ->mutable_input(0)
             ->mutable_type()
             ->mutable_imagetype()
             ->set_colorspace(7);
       }},
      {"EmptyRange", "the range 5 to 4 is empty",
       [](M& m) {
         auto* range = m.mutable_description()
                           ->mutable_input(0)
                           ->mutable_type()
                           ->mutable_multiarraytype()
                           ->mutable_shaperange()
                           ->add_sizeranges();
         range->set_lowerbound(5);
         range->set_upperbound(4);
       }},
      {"FunctionDescribedTwice", "described twice",
       [](M& m) {
         for (int i = 0; i < 2; ++i) m.mutable_description()->add_functions()->set_name("main");
       }},
      {"FunctionOfNothing", "not in the program",
       [](M& m) {
         m.mutable_description()->add_functions()->set_name("other");
         m.mutable_description()->set_defaultfunctionname("other");
       }},
      {"NoDefaultFunction", "default function 'x' is not described",
       [](M& m) {
         m.mutable_description()->add_functions()->set_name("main");
         m.mutable_description()->set_defaultfunctionname("x");
       }},
      {"UserDefinedTwice", "'k' occurs twice",
       [](M& m) {
         for (int i = 0; i < 2; ++i) {
           m.mutable_description()->mutable_metadata()->add_userdefined()->set_key("k");
         }
       }},
      {"MetadataNotUtf8", "metadata: author is not UTF-8",
       [](M& m) { m.mutable_description()->mutable_metadata()->set_author("\xFF"); }},
  };
  return kCases;
}

class HostileModel : public ::testing::TestWithParam<Case> {};

TEST_P(HostileModel, IsRefusedWithPlaceAndRule) {
  proto::Model wire = GoodModel();
  GetParam().damage(wire);
  const auto model = ReadModelText(wire.SerializeAsString(), fs::temp_directory_path().string());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), GetParam().code) << model.error().ToString();
  const std::string text = model.error().ToString();
  EXPECT_EQ(text.rfind("model.mlmodel: ", 0), 0u) << text;
  EXPECT_NE(text.find(GetParam().rule), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Hostile, HostileModel, ::testing::ValuesIn(Cases()),
                         [](const auto& test_case) { return std::string(test_case.param.name); });

TEST(HostileTest, TheUndamagedModelIsRead) {
  const auto model = ReadModelText(GoodModel().SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_TRUE(ir::Verify(model->program).ok());
}

// What converters write for a network that returns one value twice.
TEST(HostileTest, AnOutputThatIsListedTwiceIsReadOnce) {
  proto::Model wire = GoodModel();
  *wire.mutable_description()->add_output() = wire.description().output(0);
  BlockOf(wire)->add_outputs("out");
  const auto model = ReadModelText(wire.SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->functions[0].outputs.size(), 1u);
  EXPECT_EQ(model->program.main()->outputs().size(), 1u);
}

TEST(HostileTest, UnknownFieldsAreSkipped) {
  proto::Model wire = GoodModel();
  std::string bytes = wire.SerializeAsString();
  bytes += std::string(
      "\xFA\x3F\x03"
      "abc",
      6);  // field 1023, three bytes
  const auto model = ReadModelText(bytes);
  EXPECT_TRUE(model.ok()) << model.error().ToString();
}

TEST(HostileTest, ErrorsNameTheOperation) {
  proto::Model wire = GoodModel();
  AddOf(wire)->mutable_inputs(1)->mutable_value()->mutable_arguments(0)->set_name("nothing");
  EXPECT_EQ(ReadModelText(wire.SerializeAsString()).error().ToString(),
            "model.mlmodel: function 'main': operation add 'out': parameter 'y': value 'nothing' "
            "is used before it is defined");
}

// Length-delimited field `number` around `content`.
std::string Field(uint32_t number, const std::string& content) {
  std::string out;
  const auto varint = [&out](uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
  };
  varint(number << 3 | 2);
  varint(content.size());
  return out + content;
}

TEST(HostileTest, BlocksNestedTenThousandDeep) {
  std::string block;
  for (int i = 0; i < 10000; ++i)
    block = Field(3, Field(4, block));  // Block.operations, Operation.blocks
  std::string bytes = GoodModel().SerializeAsString();
  // A second entry of block_specializations is enough: fields of one message merge.
  bytes +=
      Field(502, Field(2, Field(1, "deep") + Field(2, Field(3, Field(1, "o") + Field(2, block)))));
  const auto model = ReadModelText(bytes);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
  EXPECT_NE(model.error().ToString().find("nested too deeply"), std::string::npos);
}

TEST(HostileTest, TypesNestedTenThousandDeep) {
  std::string type;
  for (int i = 0; i < 10000; ++i)
    type = Field(2, Field(1, type));  // ValueType.listType, ListType.type
  std::string bytes = GoodModel().SerializeAsString();
  bytes += Field(502, Field(4, Field(1, "a") + Field(2, Field(2, type))));  // Program.attributes
  const auto model = ReadModelText(bytes);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
}

TEST(HostileTest, OffsetsIntoTheWeightFile) {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path() / "weights");
  fs::copy(fs::path(test::kSourceDir) / "tests/fixtures/packages/all_dtypes.bin",
           scratch.path() / "weights/weight.bin");
  const auto read = [&](uint64_t offset, std::initializer_list<uint64_t> shape) {
    proto::Model wire = GoodModel();
    auto* value = ValueOf(wire);
    value->mutable_type()->clear_tensortype();
    SetTensor(value->mutable_type(), kFp32, shape);
    *ConstOf(wire)->mutable_outputs(0)->mutable_type() = value->type();
    value->mutable_blobfilevalue()->set_filename("@model_path/weights/weight.bin");
    value->mutable_blobfilevalue()->set_offset(offset);
    return ReadModelText(wire.SerializeAsString(), scratch.path().string());
  };
  EXPECT_TRUE(read(64, {3}).ok()) << read(64, {3}).error().ToString();
  EXPECT_TRUE(read(64, {3, 1}).ok());
  for (const uint64_t offset :
       {uint64_t{0}, uint64_t{63}, uint64_t{128}, uint64_t{1} << 40, UINT64_MAX}) {
    const auto model = read(offset, {3});
    ASSERT_FALSE(model.ok()) << offset;
    EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
    EXPECT_NE(model.error().ToString().find("weight.bin: offset"), std::string::npos);
  }
  EXPECT_NE(read(64, {4}).error().ToString().find("the model declares 4 fp32 elements"),
            std::string::npos);
  EXPECT_NE(read(64, {1u << 30}).error().ToString().find("the blob holds 3"), std::string::npos);
  EXPECT_NE(read(192, {40}).error().ToString().find("the blob holds 40 fp16"), std::string::npos);
}

// Work must grow with the size of the file, not with its square: a hundred thousand of everything
// takes seconds at most (minutes if it were quadratic).
TEST(HostileTest, ManyOfEverything) {
  constexpr int kMany = 50000;
  proto::Model wire = GoodModel();
  auto* block = BlockOf(wire);
  for (int i = 0; i < kMany; ++i) {  // one name in many sibling blocks
    auto* inner = AddOf(wire)->add_blocks()->add_inputs();
    inner->set_name("same");
    SetTensor(inner->mutable_type(), kFp32, {});
  }
  auto* wide = block->add_operations();
  wide->set_type("wide");
  for (int i = 0; i < kMany; ++i) {
    auto* argument = wide->add_inputs();
    argument->set_key(fmt::format("p{}", i));
    argument->mutable_value()->add_arguments()->set_name("x");
    auto* input = MainOf(wire)->add_inputs();
    input->set_name(fmt::format("in{}", i));
    SetTensor(input->mutable_type(), kFp32, {});
    AddFeature(wire.mutable_description()->add_input(), input->name(), {1});
  }
  const auto model = ReadModelText(wire.SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->main()->inputs.size(), size_t{kMany} + 1);
}

TEST(HostileTest, AttributeAndInputOfOneName) {
  proto::Model wire = GoodModel();
  auto* operation = BlockOf(wire)->add_operations();
  operation->set_type("constexpr_cast");
  auto* attribute = operation->add_attributes();
  attribute->set_key("source_val");
  *attribute->mutable_value() = *ValueOf(wire);
  auto* input = operation->add_inputs();
  input->set_key("source_val");
  input->mutable_value()->add_arguments()->set_name("c");
  const auto model = ReadModelText(wire.SerializeAsString());
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().ToString().find("as an input and as an attribute"), std::string::npos);
}

// Thousands of damaged variants of each small package: whatever is read must also verify or be
// refused, print and be written, without a crash.
TEST(HostileTest, NoMutationOfAModelCrashes) {
  const ScratchFolder scratch;
  int read = 0;
  int refused = 0;
  for (const std::string_view name :
       {"convolution_spec6", "classifier_strings", "palettized_spec7", "int4_spec9", "while_loop",
        "state", "multi_function", "array_range", "image_range"}) {
    const fs::path folder = fs::path(test::kSourceDir) / "tests/fixtures/packages" /
                            (std::string(name) + ".mlpackage") / "Data/com.apple.CoreML";
    const auto good = MapFile((folder / "model.mlmodel").string());
    ASSERT_TRUE(good.ok()) << good.error().ToString();
    const test::MutationOptions options{.truncations = 100, .bit_flips = 600, .overwrites = 300};
    test::ForEachMutation({good->data(), good->size()}, options, [&](std::vector<std::byte> bad) {
      const auto model =
          ReadModelBytes(Bytes::FromVector(std::move(bad)), "model.mlmodel", folder.string());
      if (!model.ok()) {
        ++refused;
        EXPECT_FALSE(model.error().message().empty());
        return;
      }
      ++read;
      if (!ir::Verify(model->program).ok()) return;
      (void)ir::PrintText(model->program);
      if (read % 50 == 0) (void)WritePackage(*model, scratch / "m.mlpackage");
    });
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(read, 500);
}

}  // namespace
}  // namespace anemone::format
