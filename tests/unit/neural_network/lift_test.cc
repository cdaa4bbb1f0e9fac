// Networks of one or two layers, lifted and run: shapes of both mappings, weights in all forms,
// images, classifiers, flexible sizes, control flow.
#include "neural_network/lift.h"

#include "network_builder.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

std::vector<float> ValuesOf(const std::map<std::string, Array>& outputs, const std::string& name) {
  const auto found = outputs.find(name);
  return found == outputs.end() ? std::vector<float>() : found->second.values;
}

ir::Shape ShapeOf(const std::map<std::string, Array>& outputs, const std::string& name) {
  const auto found = outputs.find(name);
  return found == outputs.end() ? ir::Shape() : found->second.shape;
}

TEST(LiftTest, OldMappingGivesTheDeclaredShape) {
  NetworkBuilder net;
  net.Input("x", {2, 1, 2}).Output("y", {2, 1, 2});
  net.Layer({"x"}, {"y"})->mutable_activation()->mutable_relu();
  const auto outputs = net.Run({{"x", {{2, 1, 2}, {-1, 2, 3, -4}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{0, 2, 3, 0}));
  EXPECT_EQ(ShapeOf(outputs, "y"), (ir::Shape{2, 1, 2}));
}

TEST(LiftTest, OldMappingGivesFiveDimensionsWhenNoneAreDeclared) {
  NetworkBuilder net;
  net.Input("x", {3}).Output("y");
  net.Layer({"x"}, {"y"})->mutable_softmax();
  const auto outputs = net.Run({{"x", {{3}, {0, 0, 0}}}});
  EXPECT_EQ(ShapeOf(outputs, "y"), (ir::Shape{1, 1, 3, 1, 1}));
  EXPECT_FLOAT_EQ(ValuesOf(outputs, "y").at(0), 1.0f / 3);
}

TEST(LiftTest, ExactMappingKeepsTheRank) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {2, 2}).Output("y");
  auto* reduce = net.Layer({"x"}, {"y"})->mutable_reducesum();
  reduce->add_axes(0);
  reduce->add_axes(-1);
  const auto outputs = net.Run({{"x", {{2, 2}, {1, 2, 3, 4}}}});
  // What would be a scalar is a vector of one element.
  EXPECT_EQ(ShapeOf(outputs, "y"), (ir::Shape{1}));
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{10}));
}

// The same product with weights in every form that the format has.
void ExpectProduct(const std::function<void(nn::WeightParams*)>& fill) {
  NetworkBuilder net;
  net.Input("x", {2}).Output("y", {2});
  auto* product = net.Layer({"x"}, {"y"})->mutable_innerproduct();
  product->set_inputchannels(2);
  product->set_outputchannels(2);
  fill(product->mutable_weights());  // [[0, 1], [2, 3]]
  const auto outputs = net.Run({{"x", {{2}, {1, 10}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{10, 32}));
}

TEST(LiftTest, WeightsInEveryForm) {
  ExpectProduct([](nn::WeightParams* weights) { SetFloats(weights, {0, 1, 2, 3}); });
  ExpectProduct([](nn::WeightParams* weights) {
    // 0, 1, 2 and 3 in half precision.
    weights->set_float16value(std::string("\x00\x00\x00\x3c\x00\x40\x00\x42", 8));
  });
  ExpectProduct([](nn::WeightParams* weights) {
    // Two bits each, the most significant ones first: 0 1 2 3 = 00 01 10 11.
    weights->set_rawvalue(std::string("\x1b", 1));
    auto* quantization = weights->mutable_quantization();
    quantization->set_numberofbits(2);
    for (const float value : {0.0f, 1.0f, 2.0f, 3.0f}) {
      quantization->mutable_lookuptablequantization()->add_floatvalue(value);
    }
  });
  ExpectProduct([](nn::WeightParams* weights) {
    // One scale and one bias for each output channel.
    weights->set_rawvalue(std::string("\x00\x01\x00\x01", 4));
    weights->mutable_quantization()->set_numberofbits(8);
    auto* linear = weights->mutable_quantization()->mutable_linearquantization();
    for (const float scale : {1.0f, 1.0f}) linear->add_scale(scale);
    for (const float bias : {0.0f, 2.0f}) linear->add_bias(bias);
  });
  ExpectProduct([](nn::WeightParams* weights) {
    weights->set_int8rawvalue(std::string("\x00\xff\xfe\xfd", 4));
    weights->mutable_quantization()->set_numberofbits(8);
    weights->mutable_quantization()->mutable_linearquantization()->add_scale(-1);
  });
}

TEST(LiftTest, WeightsOfTheWrongSizeAreRefused) {
  NetworkBuilder net;
  net.Input("x", {2}).Output("y");
  auto* product = net.Layer({"x"}, {"y"})->mutable_innerproduct();
  product->set_inputchannels(2);
  product->set_outputchannels(2);
  SetFloats(product->mutable_weights(), {1, 2, 3});
  const auto model = net.Lift();
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
  EXPECT_NE(model.error().ToString().find("3 values are stored"), std::string::npos);
  EXPECT_NE(model.error().ToString().find("(innerProduct)"), std::string::npos);
}

TEST(LiftTest, SamePaddingMayBeHeavierAtTheTopLeft) {
  NetworkBuilder net;
  net.Input("x", {1, 1, 3}).Output("y", {1, 1, 3});
  auto* conv = net.Layer({"x"}, {"y"})->mutable_convolution();
  conv->set_kernelchannels(1);
  conv->set_outputchannels(1);
  for (const uint64_t size : {1, 2}) conv->add_kernelsize(size);
  conv->mutable_same()->set_asymmetrymode(nn::SamePadding::TOP_LEFT_HEAVY);
  SetFloats(conv->mutable_weights(), {10, 1});
  const auto outputs = net.Run({{"x", {{1, 1, 3}, {1, 2, 3}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{1, 12, 23}));
}

TEST(LiftTest, ChannelLastReshapeReadsChannelsLast) {
  NetworkBuilder net;
  net.Input("x", {2, 1, 2}).Output("y", {4, 1, 1});
  auto* reshape = net.Layer({"x"}, {"y"})->mutable_reshape();
  for (const int64_t size : {4, 1, 1}) reshape->add_targetshape(size);
  reshape->set_mode(nn::ReshapeLayerParams::CHANNEL_LAST);
  const auto outputs = net.Run({{"x", {{2, 1, 2}, {1, 2, 3, 4}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{1, 3, 2, 4}));
}

TEST(LiftTest, ImagesAreScaledInTheOrderOfTheirColors) {
  NetworkBuilder net;
  auto* feature = net.model().mutable_description()->add_input();
  feature->set_name("image");
  auto* image = feature->mutable_type()->mutable_imagetype();
  image->set_width(1);
  image->set_height(1);
  image->set_colorspace(30);  // BGR
  net.Output("y", {3, 1, 1});
  auto* scaler = net.network()->add_preprocessing()->mutable_scaler();
  scaler->set_channelscale(2);
  scaler->set_redbias(-3);
  scaler->set_bluebias(-1);
  net.Layer({"image"}, {"y"})->mutable_activation()->mutable_relu();
  const auto outputs = net.Run({{"image", {{1, 3, 1, 1}, {10, 20, 30}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{19, 40, 57}));
}

TEST(LiftTest, ClassifiersEndInClassify) {
  NetworkBuilder base;
  base.Input("x", {2});
  auto* description = base.model().mutable_description();
  auto* label = description->add_output();
  label->set_name("label");
  label->mutable_type()->mutable_stringtype();
  auto* probabilities = description->add_output();
  probabilities->set_name("scores");
  probabilities->mutable_type()->mutable_dictionarytype()->mutable_stringkeytype();
  description->set_predictedfeaturename("label");
  description->set_predictedprobabilitiesname("scores");
  auto* layer = base.Layer({"x"}, {"p"});
  layer->mutable_softmax();
  nn::NeuralNetworkClassifier classifier;
  classifier.mutable_stringclasslabels()->add_vector("cat");
  classifier.mutable_stringclasslabels()->add_vector("dog");
  base.Classify(std::move(classifier));
  const auto model = base.Lift();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  ASSERT_EQ(model->program.main()->outputs().size(), 2u);
  EXPECT_EQ(model->program.main()->outputs()[0]->producer->type(), "classify");
  EXPECT_EQ(model->program.main()->outputs()[0]->name, "label");
  EXPECT_EQ(model->program.main()->outputs()[1]->name, "scores");
}

TEST(LiftTest, RangesBecomeDynamicDimensions) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {2, 3}).Output("y");
  auto* range = net.model()
                    .mutable_description()
                    ->mutable_input(0)
                    ->mutable_type()
                    ->mutable_multiarraytype()
                    ->mutable_shaperange();
  for (const int64_t upper : {-1, 3}) {
    auto* sizes = range->add_sizeranges();
    sizes->set_lowerbound(upper == 3 ? 3 : 1);
    sizes->set_upperbound(upper);
  }
  net.Layer({"x"}, {"y"})->mutable_sin();
  const auto model = net.Lift();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->program.main()->inputs()[0]->type.shape(), (ir::Shape{ir::kDynamic, 3}));
  EXPECT_EQ(model->metadata.user_defined.count("neural_network.fixed_shapes"), 0u);
}

TEST(LiftTest, ALayerThatNeedsASizeFixesItAndSaysSo) {
  NetworkBuilder net;
  net.Input("x", {1, 2, 2}).Output("y");
  auto* range = net.model()
                    .mutable_description()
                    ->mutable_input(0)
                    ->mutable_type()
                    ->mutable_multiarraytype()
                    ->mutable_shaperange();
  for (const int64_t upper : {1, 8, 8}) {
    range->add_sizeranges()->set_lowerbound(1);
    range->mutable_sizeranges(range->sizeranges_size() - 1)->set_upperbound(upper);
  }
  auto* upsample = net.Layer({"x"}, {"y"})->mutable_upsample();
  for (int i = 0; i < 2; ++i) upsample->add_scalingfactor(2);
  upsample->set_mode(nn::UpsampleLayerParams::BILINEAR);
  const auto model = net.Lift();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->program.main()->inputs()[0]->type.shape(), (ir::Shape{1, 2, 2}));
  EXPECT_TRUE(model->functions[0].inputs[0].array()->shape_range.empty());
  const auto note = model->metadata.user_defined.find("neural_network.fixed_shapes");
  ASSERT_NE(note, model->metadata.user_defined.end());
  EXPECT_NE(note->second.find("(upsample)"), std::string::npos);
}

TEST(LiftTest, LoopsKeepWhatTheyWrite) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {1}).Output("y");
  net.Layer({"x"}, {"sum"})->mutable_copy();
  auto* loop = net.Layer({}, {})->mutable_loop();
  loop->set_maxloopiterations(3);
  auto* add = loop->mutable_bodynetwork()->add_layers();
  add->set_name("double");
  add->add_input("sum");
  add->add_input("sum");
  add->add_output("sum");
  add->mutable_addbroadcastable();
  net.Layer({"sum"}, {"y"})->mutable_copy();
  const auto outputs = net.Run({{"x", {{1}, {5}}}});
  EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{40}));
}

nn::NeuralNetworkLayer* AddTo(nn::NeuralNetwork* network, std::string_view name,
                              std::initializer_list<const char*> inputs, const char* output) {
  nn::NeuralNetworkLayer* layer = network->add_layers();
  layer->set_name(std::string(name));
  for (const char* input : inputs) layer->add_input(input);
  if (output != nullptr) layer->add_output(output);
  return layer;
}

// for (i = 0; i < 10;) { i += 1; if (i == skipped) continue; if (i == last) { marks += 100; break; }
// sum += i }
TEST(LiftTest, JumpsLeaveTheMiddleOfALoop) {
  const auto sum_of = [](float skipped, float last) {
    NetworkBuilder net(/*exact=*/true);
    net.Input("zero", {1}).Input("skipped", {1}).Input("last", {1});
    net.Output("sum").Output("i").Output("marks");
    for (const char* name : {"sum", "i", "marks"}) net.Layer({"zero"}, {name})->mutable_copy();
    nn::LoopLayerParams* loop = net.Layer({}, {})->mutable_loop();
    loop->set_maxloopiterations(10);
    nn::NeuralNetwork* body = loop->mutable_bodynetwork();
    AddTo(body, "next", {"i"}, "i")->mutable_add()->set_alpha(1);
    AddTo(body, "is_skipped", {"i", "skipped"}, "is_skipped")->mutable_equal();
    AddTo(AddTo(body, "skip", {"is_skipped"}, nullptr)->mutable_branch()->mutable_ifbranch(),
          "continue", {}, nullptr)
        ->mutable_loopcontinue();
    AddTo(body, "is_last", {"i", "last"}, "is_last")->mutable_equal();
    nn::NeuralNetwork* at_last =
        AddTo(body, "stop", {"is_last"}, nullptr)->mutable_branch()->mutable_ifbranch();
    AddTo(at_last, "mark", {"marks"}, "marks")->mutable_add()->set_alpha(100);
    AddTo(at_last, "break", {}, nullptr)->mutable_loopbreak();
    AddTo(at_last, "never", {"marks"}, "marks")->mutable_add()->set_alpha(1000);
    AddTo(body, "add", {"sum", "i"}, "sum")->mutable_addbroadcastable();
    const auto outputs =
        net.Run({{"zero", {{1}, {0}}}, {"skipped", {{1}, {skipped}}}, {"last", {{1}, {last}}}});
    return std::vector<float>{ValuesOf(outputs, "sum").at(0), ValuesOf(outputs, "i").at(0),
                              ValuesOf(outputs, "marks").at(0)};
  };
  EXPECT_EQ(sum_of(2, 5), (std::vector<float>{1 + 3 + 4, 5, 100}));
  EXPECT_EQ(sum_of(5, 5), (std::vector<float>{55 - 5, 10, 0}));
  EXPECT_EQ(sum_of(-1, 1), (std::vector<float>{0, 1, 100}));
  EXPECT_EQ(sum_of(-1, -1), (std::vector<float>{55, 10, 0}));
}

TEST(LiftTest, AJumpWithoutALoopIsRefused) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {1}).Output("y");
  net.Layer({}, {})->mutable_loopbreak();
  net.Layer({"x"}, {"y"})->mutable_copy();
  const auto model = net.Lift();
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.status().ToString().find("no loop is around"), std::string::npos);
}

TEST(LiftTest, ExpandDimsCountsFromRankZero) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {2}).Output("y");
  auto* slice = net.Layer({"x"}, {"element"})->mutable_slicestatic();
  slice->add_beginids(1);
  slice->add_endids(2);
  slice->add_strides(1);
  slice->add_beginmasks(false);
  slice->add_endmasks(false);
  slice->add_squeezemasks(true);
  net.Layer({"element"}, {"y"})->mutable_expanddims()->add_axes(0);
  const auto model = net.Lift();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->program.main()->outputs()[0]->type.shape(), (ir::Shape{1}));
  EXPECT_EQ(ValuesOf(net.Run({{"x", {{2}, {5, 7}}}}), "y"), (std::vector<float>{7}));
}

TEST(LiftTest, BranchesChooseByTheirInput) {
  for (const float chosen : {0.0f, 1.0f}) {
    NetworkBuilder net(/*exact=*/true);
    net.Input("x", {1}).Input("flag", {1}).Output("y");
    auto* branch = net.Layer({"flag"}, {})->mutable_branch();
    const auto scaled = [](nn::NeuralNetwork* network, float alpha) {
      auto* layer = network->add_layers();
      layer->set_name("scaled");
      layer->add_input("x");
      layer->add_output("y");
      layer->mutable_multiply()->set_alpha(alpha);
    };
    scaled(branch->mutable_ifbranch(), 2);
    scaled(branch->mutable_elsebranch(), 3);
    const auto outputs = net.Run({{"x", {{1}, {10}}}, {"flag", {{1}, {chosen}}}});
    EXPECT_EQ(ValuesOf(outputs, "y"), (std::vector<float>{chosen == 0 ? 30.0f : 20.0f}));
  }
}

TEST(LiftTest, ABranchThatFixedShapesDecideLeavesOneSide) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {2}).Output("y");
  net.Layer({"x"}, {"shape"})->mutable_getshape();
  net.Layer({"shape"}, {"is_long"})->mutable_greaterthan()->set_alpha(5);
  auto* branch = net.Layer({"is_long"}, {})->mutable_branch();
  // It does not fit x, which it would run on only if x were longer.
  auto* wrong = branch->mutable_ifbranch()->add_layers();
  wrong->set_name("wrong");
  wrong->add_input("x");
  wrong->add_output("y");
  wrong->mutable_transpose()->add_axes(3);
  auto* right = branch->mutable_elsebranch()->add_layers();
  right->set_name("right");
  right->add_input("x");
  right->add_output("y");
  right->mutable_multiply()->set_alpha(3);
  EXPECT_EQ(ValuesOf(net.Run({{"x", {{2}, {10, 1}}}}), "y"), (std::vector<float>{30, 3}));
}

// What coremltools 9 writes for list_scatter: the length of a list that has grown by a fill of a computed
// shape decides whether it grows again, by layers that would not fit.
TEST(LiftTest, ABranchThatTheShapeOfAFillDecidesLeavesOneSide) {
  for (const bool like : {false, true}) {
    NetworkBuilder net(/*exact=*/true);
    net.Input("x", {2, 2}).Output("y");
    auto* three_rows = net.Layer({}, {"rows"})->mutable_loadconstantnd();
    three_rows->add_shape(2);
    SetFloats(three_rows->mutable_data(), {3, 2});
    if (like) {
      net.Layer({"x"}, {"added"})->mutable_filllike();
    } else {
      net.Layer({"rows"}, {"added"})->mutable_filldynamic();
    }
    net.Layer({"x", "added"}, {"list"})->mutable_concatnd()->set_axis(0);
    net.Layer({"list"}, {"shape"})->mutable_getshape();
    auto* length = net.Layer({"shape"}, {"length"})->mutable_slicestatic();
    length->add_beginids(0);
    length->add_endids(1);
    length->add_strides(1);
    length->add_beginmasks(false);
    length->add_endmasks(false);
    net.Layer({"length"}, {"is_short"})->mutable_lessthan()->set_alpha(4);
    auto* branch = net.Layer({"is_short"}, {})->mutable_branch();
    auto* wrong = branch->mutable_ifbranch()->add_layers();
    wrong->set_name("wrong");
    wrong->add_input("length");
    wrong->add_input("list");
    wrong->add_output("list");
    wrong->mutable_concatnd()->set_axis(0);
    net.Layer({"list"}, {"y"})->mutable_multiply()->set_alpha(3);
    std::vector<float> expected = {3, 6, 9, 12};
    expected.resize(like ? 8 : 10);
    EXPECT_EQ(ValuesOf(net.Run({{"x", {{2, 2}, {1, 2, 3, 4}}}}), "y"), expected);
  }
}

TEST(LiftTest, ABranchOnSeveralValuesIsRefused) {
  NetworkBuilder net(/*exact=*/true);
  net.Input("x", {2}).Output("y");
  net.Layer({"x"}, {})->mutable_branch();
  const auto model = net.Lift();
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().ToString().find("its condition has 2 values"), std::string::npos);
}

TEST(LiftTest, CustomLayersAreRefusedByName) {
  NetworkBuilder net;
  net.Input("x", {2}).Output("y");
  net.Layer({"x"}, {"y"})->mutable_custom()->set_classname("Mine");
  const auto model = net.Lift();
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(model.error().ToString().find("layer 0 'layer1' (custom)"), std::string::npos);
  EXPECT_FALSE(model.error().advice().empty());
}

TEST(LiftTest, InputsThatNothingMakesAreRefused) {
  NetworkBuilder net;
  net.Input("x", {2}).Output("y");
  net.Layer({"z"}, {"y"})->mutable_activation()->mutable_relu();
  const auto model = net.Lift();
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
}

TEST(LayerTableTest, HasEveryLayerTypeOnce) {
  const auto rows = AllLayers();
  // The specification has so many.
  EXPECT_EQ(rows.size(), 158u);
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_NE(rows[i - 1]->type, rows[i]->type) << rows[i]->name;
  }
  for (const LayerRow* row : rows) {
    EXPECT_TRUE(row->emit != nullptr ? !row->lifted_to.empty() : !row->limits.empty()) << row->name;
  }
}

}  // namespace
}  // namespace anemone::neural_network
