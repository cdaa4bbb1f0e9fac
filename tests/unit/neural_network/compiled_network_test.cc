// Compiled neural networks (Espresso folders): what they compute, worked out by hand, and what is
// refused. tests/oracle/espresso_folders.py compares larger ones with PyTorch.
#include <filesystem>

#include "format/compiled_data.h"
#include "format/espresso/network_files.h"
#include "network_builder.h"
#include "support/mutations.h"
#include "support/scratch.h"

namespace anemone::neural_network {
namespace {

namespace fs = std::filesystem;
using format::espresso::NetworkFiles;
using test::ScratchFolder;
using test::WriteText;

template <typename Scalar>
std::string Raw(const std::vector<Scalar>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Scalar)};
}

// A weight file: the blob i has the index i.
std::string WeightFile(const std::vector<std::string>& blobs) {
  std::vector<uint64_t> table = {blobs.size()};
  std::string data;
  for (size_t i = 0; i < blobs.size(); ++i) {
    table.push_back(i);
    table.push_back(blobs[i].size());
    data += blobs[i];
  }
  return Raw(table) + data;
}

// A folder of one network, whose parts a test may change before it is read.
struct Folder {
  explicit Folder(int32_t version = 4) {
    data.specification.major = static_cast<uint64_t>(version);
  }

  ScratchFolder scratch;
  format::CompiledData data;
  std::string layers, shapes, transforms = "{}", metadata = "[{}]";
  std::vector<std::string> blobs;

  Folder& Input(const std::string& name, const ir::Shape& shape) {
    AddArray(data.description.add_input(), name, shape);
    return *this;
  }
  Folder& Output(const std::string& name) {
    AddArray(data.description.add_output(), name, {});
    return *this;
  }
  std::string path() const { return scratch / "m.mlmodelc"; }
  std::string Net() const {
    return fmt::format(R"({{"format_version": 200, "transform_params": {}, "layers": [{}]}})",
                       transforms, layers);
  }
  std::string Shapes() const { return fmt::format(R"({{"layer_shapes": {{{}}}}})", shapes); }

  Result<ir::Model> Read(uint32_t type = 500) {
    data.model_type = type;
    data.format = {.major = 3, .variant = "generic"};
    WriteText(fs::path(path()) / "coremldata.bin", format::EncodeCompiledData(data));
    WriteText(fs::path(path()) / "model.espresso.net", Net());
    WriteText(fs::path(path()) / "model.espresso.shape", Shapes());
    WriteText(fs::path(path()) / "model.espresso.weights", WeightFile(blobs));
    WriteText(fs::path(path()) / "metadata.json", metadata);
    return ReadModel(path());
  }
  // Why the folder is refused, and with which code.
  std::string Refusal(ErrorCode code) {
    const auto model = Read();
    EXPECT_FALSE(model.ok());
    if (model.ok()) return {};
    EXPECT_EQ(model.error().code(), code) << model.error().ToString();
    return model.error().ToString();
  }

 private:
  static void AddArray(format::proto::FeatureDescription* feature, const std::string& name,
                       const ir::Shape& shape) {
    feature->set_name(name);
    auto* array = feature->mutable_type()->mutable_multiarraytype();
    array->mutable_shape()->Add(shape.begin(), shape.end());
    array->set_datatype(65568);  // float32
  }
};

// x [1, 1, 2, 3] -> a convolution of one weight, 2, and bias 1, then what `layer` says -> y.
void AddConvolution(Folder& folder) {
  folder.Input("x", {1, 1, 2, 3}).Output("y");
  folder.layers =
      R"({"type": "convolution", "name": "conv", "bottom": "x", "top": "a", "weights": {},
          "C": 1, "K": 1, "Nx": 1, "Ny": 1, "n_groups": 1, "pad_mode": 0, "has_biases": 1,
          "blob_weights": 1, "blob_biases": 0, "fused_relu": 1})";
  folder.shapes = R"("x": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4},
                     "a": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4},
                     "y": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4})";
  folder.blobs = {Raw<float>({1}), Raw<float>({2})};
}

void Then(Folder& folder, const std::string& layer) {
  folder.layers += fmt::format(R"(, {{"name": "last", "bottom": "a", "top": "y", {}}})", layer);
}

const Array kX = {{1, 1, 2, 3}, {-3, -1, 0, 1, 2, 3}};

TEST(CompiledNetworkTest, AConvolutionWithFusedReluThenAFunction) {
  Folder folder;
  AddConvolution(folder);
  Then(folder, R"("type": "elementwise", "operation": 3, "alpha": 0.5)");
  const auto model = folder.Read();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->functions[0].inputs[0].name, "x");
  // max(2 x + 1, 0) / 2
  EXPECT_EQ(RunModel(*model, {{"x", kX}})["y"].values,
            (std::vector<float>{0, 0, 0.5f, 1.5f, 2.5f, 3.5f}));
}

TEST(CompiledNetworkTest, WeightsInHalfAndInEightBits) {
  Folder half;
  AddConvolution(half);
  half.blobs[1] = Raw<uint16_t>({0x4000});  // 2
  half.layers.replace(half.layers.find("blob_weights"), 12, "blob_weights_f16");
  Then(half, R"("type": "copy")");
  Folder codes;
  AddConvolution(codes);
  codes.blobs = {Raw<float>({1}), Raw<uint8_t>({200}), Raw<float>({0.02f}), Raw<float>({-2})};
  codes.layers.replace(codes.layers.find(R"("weights": {})"), 13,
                       R"("weights": {"W_U8": 1, "per_ch_qscale": 2, "per_ch_qbias": 3})");
  codes.layers.replace(codes.layers.find(R"("blob_weights": 1, )"), 19, "");
  Then(codes, R"("type": "copy")");
  for (Folder* folder : {&half, &codes}) {
    const auto model = folder->Read();
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    const auto values = RunModel(*model, {{"x", kX}})["y"].values;
    ASSERT_EQ(values.size(), 6u);
    for (size_t i = 0; i < 6; ++i)
      EXPECT_NEAR(values[i], std::max(0.f, 2 * kX.values[i] + 1), 1e-5);
  }
}

TEST(CompiledNetworkTest, AxesAreCountedFromTheLast) {
  Folder folder;
  folder.Input("x", {1, 2, 3, 4}).Output("y");
  folder.layers = R"({"type": "transpose", "name": "t", "bottom": "x", "top": "y", "axis_w": 1,
                      "axis_h": 2, "axis_k": 0, "axis_n": 3, "axis_seq": 4})";
  folder.shapes = R"("x": {"n": 1, "k": 2, "h": 3, "w": 4, "_rank": 4},
                     "y": {"n": 1, "k": 4, "h": 2, "w": 3, "_rank": 4})";
  const auto model = folder.Read();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  Array x{{1, 2, 3, 4}, {}};
  for (int i = 0; i < 24; ++i) x.values.push_back(static_cast<float>(i));
  const Array y = RunModel(*model, {{"x", x}})["y"];
  EXPECT_EQ(y.shape, (ir::Shape{1, 4, 2, 3}));
  // y[0, k, h, w] = x[0, h, w, k]
  EXPECT_EQ(y.values[1], 4);
  EXPECT_EQ(y.values[3], 12);
  EXPECT_EQ(y.values[6], 1);
}

TEST(CompiledNetworkTest, StacksAndTilesAlongTheAxesThatTheyName) {
  Folder folder;
  folder.Input("x", {2, 3}).Output("y").Output("z");
  folder.layers = R"({"type": "activation", "name": "n", "bottom": "x", "top": "a", "mode": 6,
                      "alpha": -1, "beta": 0},
                     {"type": "stack_nd", "name": "s", "bottom": "x,a", "top": "y", "nd_axis": 1},
                     {"type": "tile", "name": "t", "bottom": "x", "top": "z", "dst_w": 2, "dst_h": 1,
                      "dst_k": 1, "dst_n": 1, "dst_seq": 1})";
  folder.shapes = R"("x": {"h": 2, "w": 3, "_rank": 2}, "a": {"h": 2, "w": 3, "_rank": 2},
                     "y": {"k": 2, "h": 2, "w": 3, "_rank": 3}, "z": {"h": 2, "w": 6, "_rank": 2})";
  const auto model = folder.Read();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto outputs = RunModel(*model, {{"x", {{2, 3}, {1, 2, 3, 4, 5, 6}}}});
  EXPECT_EQ(outputs["y"].shape, (ir::Shape{2, 2, 3}));
  EXPECT_EQ(outputs["y"].values, (std::vector<float>{1, 2, 3, -1, -2, -3, 4, 5, 6, -4, -5, -6}));
  EXPECT_EQ(outputs["z"].values, (std::vector<float>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  folder.layers.replace(folder.layers.find(R"("nd_axis": 1)"), 12, R"("nd_axis": 2)");
  EXPECT_NE(folder.Refusal(ErrorCode::kUnsupported).find("its 'nd_axis'"), std::string::npos);
}

TEST(CompiledNetworkTest, AClassifierTakesItsLabelsFromTheMetadata) {
  Folder folder;
  folder.Input("x", {3});
  auto& description = folder.data.description;
  auto* label = description.add_output();
  label->set_name("label");
  label->mutable_type()->mutable_stringtype();
  auto* all = description.add_output();
  all->set_name("all");
  all->mutable_type()->mutable_dictionarytype()->mutable_stringkeytype();
  description.set_predictedfeaturename("label");
  description.set_predictedprobabilitiesname("all");
  folder.layers = R"({"type": "softmax_nd", "name": "s", "bottom": "x", "top": "p", "nd_axis": -1,
                      "attributes": {"is_output": 1}})";
  folder.shapes = R"("x": {"w": 3, "_rank": 1}, "p": {"w": 3, "_rank": 1})";
  folder.metadata = R"([{"classLabels": ["ant", "bee", "cat"]}])";
  const auto model = folder.Read(403);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->functions[0].predicted_feature_name, "label");
  folder.metadata = "[{}]";
  EXPECT_NE(folder.Read(403).error().message().find("class labels"), std::string::npos);
}

TEST(CompiledNetworkTest, WhatIsNotKnownIsRefusedByName) {
  const auto refusal = [](const std::string& layer) {
    Folder folder;
    AddConvolution(folder);
    folder.blobs.push_back(Raw<float>({1, 0, 0.5f, 2}));  // scale, shift, mean, variance
    Then(folder, layer);
    const std::string text = folder.Refusal(ErrorCode::kUnsupported);
    EXPECT_NE(text.find("layer 'last'"), std::string::npos) << text;
    EXPECT_NE(text.find(".mlmodel that the folder was compiled from"), std::string::npos) << text;
    return text;
  };
  const auto names = [](const std::string& text, std::string_view what) {
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  names(refusal(R"("type": "dynamic_quantize")"), "(dynamic_quantize)");
  names(refusal(R"("type": "elementwise", "operation": 33)"), "operation 33");
  names(refusal(R"("type": "elementwise", "operation": 26)"), "'eps'");
  names(refusal(R"("type": "elementwise", "operation": 2, "alpha": 1, "beta": 3)"), "'beta' is 3");
  names(refusal(R"("type": "activation", "mode": 4)"), "mode 4");
  names(refusal(R"("type": "activation", "mode": 2, "alpha": 0, "weights": {"alpha": 1})"),
        "'alpha'");
  names(refusal(R"("type": "batchnorm", "C": 1, "blob_batchnorm_params": 2)"),
        "the epsilon with which it takes its stored mean and variance");
  names(refusal(R"("type": "inner_product", "nB": 3, "nC": 3, "has_prelu": 1, "blob_weights": 1)"),
        "'has_prelu' is 1");
  names(refusal(R"("type": "inner_product", "nB": 1, "nC": 1, "weights": {"W_t_int8": 1})"),
        "weights");
  names(refusal(R"("type": "tile", "dst_w": 2)"), "'dst_w' is 2");
  names(refusal(R"("type": "copy", "surprise": 7)"), "'surprise' (7)");
  names(refusal(R"("type": "copy", "weights": {"odd": 1})"), "'odd'");
  names(
      refusal(R"("type": "pool", "avg_or_max": 1, "size_x": 1, "size_y": 1, "top_shape_style": 1)"),
      "'top_shape_style'");
}

TEST(CompiledNetworkTest, BrokenFoldersAreRefused) {
  const auto refuse = [](auto damage, std::string_view what) {
    Folder folder;
    AddConvolution(folder);
    Then(folder, R"("type": "copy")");
    damage(folder);
    const std::string text = folder.Refusal(ErrorCode::kInvalidInput);
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  refuse([](Folder& f) { f.blobs[1] = Raw<float>({1, 2}); }, "8 bytes, not 1 float32 values");
  refuse([](Folder& f) { f.blobs.pop_back(); }, "no blob 1");
  refuse([](Folder& f) { f.shapes.replace(f.shapes.find("\"y\""), 3, "\"z\""); }, "shape of 'y'");
  refuse([](Folder& f) { f.layers.replace(f.layers.find("\"K\": 1"), 6, "\"K\": 0"); }, "'K' is 0");
  refuse([](Folder& f) { f.shapes.replace(f.shapes.find("_rank\": 4"), 9, "_rank\": 9"); }, "rank");
}

// A layer that was read wrongly gives another shape than the folder declares.
TEST(CompiledNetworkTest, DeclaredShapesAreChecked) {
  Folder folder;
  AddConvolution(folder);
  Then(folder, R"("type": "pool", "avg_or_max": 1, "size_x": 2, "size_y": 1, "pad_mode": 2)");
  EXPECT_NE(folder.Refusal(ErrorCode::kUnsupported).find("declares [1, 1, 2, 3] for 'y'"),
            std::string::npos);
  folder.shapes.replace(folder.shapes.rfind("\"w\": 3"), 6, "\"w\": 2");
  EXPECT_TRUE(folder.Read().ok());
}

TEST(CompiledNetworkTest, DefaultShapesOnlyAreRead) {
  Folder folder;
  AddConvolution(folder);
  Then(folder, R"("type": "copy")");
  auto* range = folder.data.description.mutable_input(0)
                    ->mutable_type()
                    ->mutable_multiarraytype()
                    ->mutable_shaperange();
  for (const int64_t upper : {1, 1, 9, 9}) range->add_sizeranges()->set_upperbound(upper);
  const auto model = folder.Read();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_TRUE(model->metadata.user_defined.contains(std::string(kFixedShapesKey)));
  EXPECT_TRUE(model->functions[0].inputs[0].array()->shape_range.empty());
}

TEST(CompiledNetworkFuzzTest, NoMutationCrashes) {
  Folder folder;
  AddConvolution(folder);
  Then(folder, R"("type": "slice", "axis": 0, "start": 1, "end": 3)");
  folder.shapes.replace(folder.shapes.rfind("\"w\": 3"), 6, "\"w\": 2");
  ASSERT_TRUE(folder.Read().ok());
  size_t read = 0, refused = 0;
  const test::MutationOptions options{.truncations = 60, .bit_flips = 500, .overwrites = 200};
  for (const auto& [file, good] :
       {std::pair<std::string, std::string>{"model.espresso.net", folder.Net()},
        {"model.espresso.shape", folder.Shapes()},
        {"model.espresso.weights", WeightFile(folder.blobs)}}) {
    ASSERT_TRUE(folder.Read().ok());
    test::ForEachMutation(std::as_bytes(std::span(good)), options, [&](std::vector<std::byte> bad) {
      WriteText(fs::path(folder.path()) / file,
                {reinterpret_cast<const char*>(bad.data()), bad.size()});
      ++(ReadModel(folder.path()).ok() ? read : refused);
    });
  }
  EXPECT_GT(read, 0u);
  EXPECT_GT(refused, 1000u);
}

TEST(CompiledNetworkFuzzTest, FalseCountsOfBlobs) {
  NetworkFiles files;
  const auto parse = [&](const std::vector<uint64_t>& words) {
    return ParseWeights(Bytes::FromVector(words), &files).ok();
  };
  EXPECT_TRUE(parse({1, 3, 8, 0}));
  EXPECT_EQ(files.blobs.at(3).size(), 8u);
  EXPECT_FALSE(parse({UINT64_MAX, 3, 8, 0}));
  EXPECT_FALSE(parse({1, 3, UINT64_MAX, 0}));
  EXPECT_FALSE(parse({2, 3, 0, 3, 8, 0}));  // one index twice
}

}  // namespace
}  // namespace anemone::neural_network
