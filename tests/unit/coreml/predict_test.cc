// The results of predictions: the double computes with the CPU executor, so the answers of the
// backend must equal the CPU's to the bit, on every path.
#include "coreml_test_util.h"

namespace anemone::coreml {
namespace {

TEST_F(CoreMlTest, AnswersAreTheExecutors) {
  for (const ModelPtr& model :
       {test::ParseModel(kSmallNet), test::ParseModel(kHalfNet), ReadFixture("convolution_spec6"),
        ReadFixture("convolution_spec9"), ReadFixture("palettized_spec7")}) {
    ASSERT_NE(model, nullptr);
    auto executable = LoadIt(model);
    ASSERT_TRUE(executable.ok()) << executable.status().ToString();
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const Tensors inputs = RandomInputs(model, seed);
      auto outputs = executable.value()->Run(inputs, nullptr, nullptr);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      ExpectSame(*outputs, RunOnCpu(model, inputs));
    }
  }
}

TEST_F(CoreMlTest, ResultsThatAreCopiedOutAreTheSame) {
  const ModelPtr model = test::ParseModel(kHalfNet);
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok());
  const Tensors inputs = RandomInputs(model, 3);
  ASSERT_TRUE(executable.value()->Run(inputs, nullptr, nullptr).ok());
  EXPECT_EQ(CoreMLDoubleBackedPredictions(), 1);
  // Padded rows in Core ML's own memory; then ours, by another array.
  for (const char* script : {"predict=copy", "predict=wrap"}) {
    for (const ModelPtr& each : {model, test::ParseModel(kSmallNet)}) {
      Script(script);
      auto other = LoadIt(each);
      const Tensors given = RandomInputs(each, 4);
      auto outputs = other.value()->Run(given, nullptr, nullptr);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      EXPECT_EQ(CoreMLDoubleBackedPredictions(), 0);
      ExpectSame(*outputs, RunOnCpu(each, given));
    }
  }
}

TEST_F(CoreMlTest, WhereBackingsAreRefusedResultsAreCopied) {
  for (const ModelPtr& model :
       {test::ParseModel(kHalfNet), test::ParseModel(kSmallNet), ReadFixture("state")}) {
    Script("predict=backings");
    auto executable = LoadIt(model);
    ASSERT_TRUE(executable.ok()) << executable.status().ToString();
    exec::State ours, theirs;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const Tensors inputs = RandomInputs(model, seed);
      auto outputs = executable.value()->Run(inputs, &ours, nullptr);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      ExpectSame(*outputs, RunOnCpu(model, inputs, &theirs));
      ExpectSame(ours, theirs);
    }
    // Found out once, by one more prediction.
    EXPECT_EQ(CoreMLDoubleCalls(kDoublePredict), 4);
  }
  // A executable whose backings have worked does not retry without them.
  const Subject net = SubjectOf(test::ParseModel(kHalfNet));
  ASSERT_NE(net.executable, nullptr);
  Script("predict@2=error");
  net.ExpectRight();
  EXPECT_FALSE(net.Run().ok());
  EXPECT_EQ(CoreMLDoubleCalls(kDoublePredict), 2);
}

TEST_F(CoreMlTest, BoundMemoryIsReadAndWrittenInPlace) {
  const ModelPtr model = test::ParseModel(kSmallNet);
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok());
  Tensors inputs = RandomInputs(model, 1);
  exec::Tensor y = *exec::Tensor::Allocate(DType::kFp32, {1, 4, 8, 8});
  for (int i = 0; i < 5; ++i) {
    inputs.at("x").As<float>()[i] += 1.0F;
    const exec::BoundInput in{"x", inputs.at("x").view()};
    const exec::BoundOutput out{"y", y.mutable_view()};
    const Status status = executable.value()->RunBound({&in, 1}, {&out, 1}, nullptr, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ExpectSame({{"y", y}}, RunOnCpu(model, inputs));
  }
  EXPECT_EQ(CoreMLDoubleBackedPredictions(), 5);
  // The same memory again: the arrays and the dictionaries are those of the first call.
  exec::Tensor other = *exec::Tensor::Allocate(DType::kFp32, {1, 4, 8, 8});
  const exec::BoundInput in{"x", inputs.at("x").view()};
  const exec::BoundOutput out{"y", other.mutable_view()};
  ASSERT_TRUE(executable.value()->RunBound({&in, 1}, {&out, 1}, nullptr, nullptr).ok());
  ExpectSame({{"y", other}}, {{"y", y}});
}

TEST_F(CoreMlTest, HintsReachTheConfiguration) {
  for (const int hints : {0, 1, 2, 3}) {
    exec::LoadOptions options;
    options.hints = {.infrequent_reshape = (hints & 1) != 0, .fast_prediction = (hints & 2) != 0};
    ASSERT_TRUE(LoadIt(test::ParseModel(kHalfNet), options).ok());
    EXPECT_EQ(CoreMLDoubleHints(), hints);
  }
}

TEST_F(CoreMlTest, OutputsThatAreNotBoundAreLeftOut) {
  const ModelPtr model = test::ParseModel(kHalfNet);
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok());
  const Tensors inputs = RandomInputs(model, 1);
  const exec::BoundInput in{"x", inputs.at("x").view()};
  exec::Tensor z = *exec::Tensor::Allocate(DType::kFp32, {2, 5});
  const exec::BoundOutput out{"z", z.mutable_view()};
  ASSERT_TRUE(executable.value()->RunBound({&in, 1}, {&out, 1}, nullptr, nullptr).ok());
  const Tensors want = RunOnCpu(model, inputs);
  ExpectSame({{"z", z}}, {{"z", want.at("z")}});
}

TEST_F(CoreMlTest, TheCallersMistakesAreUsage) {
  const ModelPtr model = test::ParseModel(kSmallNet);
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok());
  const auto code = [&](const Tensors& inputs) {
    auto outputs = executable.value()->Run(inputs, nullptr, nullptr);
    EXPECT_FALSE(outputs.ok());
    return outputs.ok() ? ErrorCode::kInternal : outputs.error().code();
  };
  const Tensors good = RandomInputs(model, 1);
  EXPECT_EQ(code({}), ErrorCode::kUsage);
  Tensors extra = good;
  extra["w"] = good.at("x");
  EXPECT_EQ(code(extra), ErrorCode::kUsage);
  EXPECT_EQ(code({{"x", *exec::Tensor::Allocate(DType::kFp32, {1, 3, 8, 9})}}), ErrorCode::kUsage);
  EXPECT_EQ(code({{"x", *exec::Tensor::Allocate(DType::kInt32, {1, 3, 8, 8})}}), ErrorCode::kUsage);
  const exec::BoundInput in{"x", good.at("x").view()};
  exec::Tensor wrong = *exec::Tensor::Allocate(DType::kFp32, {1, 4, 8, 7});
  const exec::BoundOutput misshapen{"y", wrong.mutable_view()}, unknown{"u", wrong.mutable_view()};
  for (const exec::BoundOutput& out : {misshapen, unknown}) {
    const Status status = executable.value()->RunBound({&in, 1}, {&out, 1}, nullptr, nullptr);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  }
  EXPECT_EQ(CoreMLDoubleCalls(kDoublePredict), 0);  // nothing of it reached Core ML
  exec::Tracer tracer;
  tracer.values = true;
  auto traced = executable.value()->Run(good, nullptr, &tracer);
  ASSERT_FALSE(traced.ok());
  EXPECT_EQ(traced.error().code(), ErrorCode::kUnsupported);
}

TEST_F(CoreMlTest, StatesLiveInTheCallersMap) {
  const ModelPtr model = ReadFixture("state");
  ASSERT_NE(model, nullptr);
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok()) << executable.status().ToString();
  exec::State ours, theirs;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const Tensors inputs = RandomInputs(model, seed);
    auto outputs = executable.value()->Run(inputs, &ours, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ExpectSame(*outputs, RunOnCpu(model, inputs, &theirs));
    ExpectSame(ours, theirs);
  }
  ASSERT_FALSE(ours.empty());
  // A call that fails leaves the state as it was, so that another backend can repeat it.
  const Tensors inputs = RandomInputs(model, 9);
  for (const char* script : {"predict=error", "predict=throw", "predict=missing", "state=nil"}) {
    Script(script);
    EXPECT_FALSE(executable.value()->Run(inputs, &ours, nullptr).ok()) << script;
    ExpectSame(ours, theirs);
  }
}

TEST_F(CoreMlTest, EachFunctionOfAModelAnswersForItself) {
  const ModelPtr model = ReadFixture("multi_function");
  ASSERT_NE(model, nullptr);
  ASSERT_TRUE(model->multi_function);
  ASSERT_GE(model->program.functions.size(), 2U);
  for (const auto& function : model->program.functions) {
    exec::LoadOptions options;
    options.function = function->name;
    auto executable = LoadIt(model, options);
    ASSERT_TRUE(executable.ok()) << executable.status().ToString();
    const Tensors inputs = RandomInputs(model, 2, function->name);
    auto outputs = executable.value()->Run(inputs, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ExpectSame(*outputs, RunOnCpu(model, inputs, nullptr, function->name));
  }
  exec::LoadOptions unknown;
  unknown.function = "no_such_function";
  EXPECT_EQ(LoadIt(model, unknown).error().code(), ErrorCode::kUsage);
}

TEST_F(CoreMlTest, ImagesCrossAsPixels) {
  using Space = ir::ImageFeature::ColorSpace;
  for (const Space space : {Space::kRgb, Space::kBgr, Space::kGrayscale, Space::kGrayscaleFp16}) {
    const int64_t channels = space == Space::kRgb || space == Space::kBgr ? 3 : 1;
    const std::string shape = fmt::format("[1, {}, 5, 7]", channels);
    auto parsed = ir::ParseText(
        fmt::format("func main<ios17>(tensor<fp32, {}> image) {{ y = add(x = image, y = 1.0); "
                    "picture = mul(x = image, y = 0.5); }} -> (y, picture);",
                    shape));
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    auto made = ir::MakeModel(std::move(parsed).value());
    ASSERT_TRUE(made.ok());
    ir::ImageFeature image;
    image.color_space = space;
    image.size = {7, 5};
    made->functions[0].inputs[0].type = image;
    made->functions[0].outputs[1].type = image;
    const auto model = std::make_shared<const ir::Model>(std::move(made).value());
    auto executable = LoadIt(model);
    ASSERT_TRUE(executable.ok()) << executable.status().ToString();
    exec::Tensor pixels = *exec::Tensor::Allocate(DType::kFp32, {1, channels, 5, 7});
    for (int64_t i = 0; i < pixels.count(); ++i) {
      pixels.As<float>()[i] = static_cast<float>((i * 37) % 256);
    }
    auto outputs = executable.value()->Run({{"image", pixels}}, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    const Tensors want = RunOnCpu(model, {{"image", pixels}});
    ExpectSame({{"y", outputs->at("y")}}, {{"y", want.at("y")}});
    // An 8-bit image that comes out is rounded.
    for (int64_t i = 0; i < pixels.count(); ++i) {
      const float exact = want.at("picture").As<float>()[i];
      EXPECT_NEAR(outputs->at("picture").As<float>()[i], exact,
                  space == Space::kGrayscaleFp16 ? 0.0F : 0.5F);
    }
    // Values that no pixel can hold are rounded and clamped, not wrapped.
    pixels.As<float>()[0] = -5.0F;
    pixels.As<float>()[1] = 300.0F;
    pixels.As<float>()[2] = 7.4F;
    outputs = executable.value()->Run({{"image", pixels}}, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok());
    const float* y = outputs->at("y").As<float>();
    if (space == Space::kGrayscaleFp16) {
      EXPECT_EQ(y[0], -4.0F);
      EXPECT_EQ(y[1], 301.0F);
    } else {
      EXPECT_EQ(y[0], 1.0F);
      EXPECT_EQ(y[1], 256.0F);
      EXPECT_EQ(y[2], 8.0F);
    }
  }
}

TEST_F(CoreMlTest, ShapesThatOnlyTheCallKnows) {
  const ModelPtr model =
      test::ParseModel("func main<ios17>(tensor<fp32, [?, 3]> x) { y = relu(x = x); } -> (y);");
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok()) << executable.status().ToString();
  for (const int64_t rows : {1, 4, 2}) {
    exec::Tensor x = *exec::Tensor::Allocate(DType::kFp32, {rows, 3});
    for (int64_t i = 0; i < x.count(); ++i) x.As<float>()[i] = static_cast<float>(i) - 2;
    auto outputs = executable.value()->Run({{"x", x}}, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ExpectSame(*outputs, RunOnCpu(model, {{"x", x}}));
    exec::Tensor wrong = *exec::Tensor::Allocate(DType::kFp32, {rows + 1, 3});
    const exec::BoundInput in{"x", x.view()};
    const exec::BoundOutput out{"y", wrong.mutable_view()};
    const Status status = executable.value()->RunBound({&in, 1}, {&out, 1}, nullptr, nullptr);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  }
}

TEST_F(CoreMlTest, FeaturesWithoutATensorAreRefusedTogether) {
  // An ML Program takes no dictionary and no sequence, but a file may still declare one.
  auto model =
      ir::MakeModel(ir::ParseText("func main<ios17>(tensor<fp32, [2]> a, tensor<fp32, [2]> "
                                  "b) {\n  y = add(x = a, y = b);\n} -> (y);\n")
                        .value());
  ASSERT_TRUE(model.ok());
  model->functions[0].inputs[0].type = ir::DictionaryFeature{};
  model->functions[0].inputs[1].type = ir::SequenceFeature{};
  auto executable = LoadIt(std::make_shared<const ir::Model>(std::move(model).value()));
  ASSERT_FALSE(executable.ok());
  EXPECT_EQ(executable.error().code(), ErrorCode::kUnsupported);
  for (const char* says : {"'a' is not an array", "'b' is not an array"}) {
    EXPECT_NE(executable.error().message().find(says), std::string::npos)
        << executable.error().ToString();
  }
  EXPECT_NE(executable.error().advice().find("--backend cpu"), std::string::npos);
  exec::LoadOptions rounded;
  rounded.numerics = exec::Numerics::kFloat32;
  EXPECT_EQ(LoadIt(test::ParseModel(kSmallNet), rounded).error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace anemone::coreml
