// Damaged networks: each is lifted or refused; none crashes or asks for memory out of proportion.
#include "network_builder.h"
#include "support/mutations.h"

namespace anemone::neural_network {
namespace {

std::string SmallNetwork() {
  NetworkBuilder net;
  net.Input("x", {2, 4, 4}).Output("y");
  auto* conv = net.Layer({"x"}, {"a"})->mutable_convolution();
  conv->set_kernelchannels(2);
  conv->set_outputchannels(2);
  for (int i = 0; i < 2; ++i) conv->add_kernelsize(1);
  conv->mutable_weights()->set_rawvalue(std::string("\x1b", 1));
  conv->mutable_weights()->mutable_quantization()->set_numberofbits(2);
  auto* linear = conv->mutable_weights()->mutable_quantization()->mutable_linearquantization();
  linear->add_scale(1);
  linear->add_bias(0);
  auto* pool = net.Layer({"a"}, {"b"})->mutable_pooling();
  for (int i = 0; i < 2; ++i) pool->add_kernelsize(2);
  auto* reshape = net.Layer({"b"}, {"c"})->mutable_reshape();
  for (const int64_t size : {18, 1, 1}) reshape->add_targetshape(size);
  auto* slice = net.Layer({"c"}, {"d"})->mutable_slicestatic();
  for (const int64_t end : {1, 1, 6, 1, 1}) {
    slice->add_beginids(0);
    slice->add_endids(end);
    slice->add_strides(1);
  }
  auto* loop = net.Layer({}, {})->mutable_loop();
  loop->set_maxloopiterations(2);
  auto* body = loop->mutable_bodynetwork()->add_layers();
  body->set_name("body");
  body->add_input("d");
  body->add_output("d");
  body->mutable_transpose();
  for (const uint64_t axis : {0, 1, 2, 4, 3}) body->mutable_transpose()->add_axes(axis);
  auto* fill = net.Layer({}, {"e"})->mutable_fillstatic();
  fill->add_targetshape(6);
  net.Layer({"d"}, {"y"})->mutable_activation()->mutable_leakyrelu()->set_alpha(0.5f);
  return net.Serialize();
}

TEST(HostileNetworkTest, DamagedNetworksAreRefusedOrLifted) {
  const std::string good = SmallNetwork();
  const auto lift = [](const std::vector<std::byte>& bytes) {
    const auto file =
        format::ModelFile::Parse(Bytes::Copy(bytes.data(), bytes.size()), "damaged", ".");
    return file.ok() && IsNeuralNetwork(*file) && neural_network::Lift(*file).ok();
  };
  const auto* data = reinterpret_cast<const std::byte*>(good.data());
  EXPECT_TRUE(lift({data, data + good.size()}));
  size_t lifted = 0, refused = 0;
  test::ForEachMutation({data, good.size()},
                        {.truncations = 200, .bit_flips = 1500, .overwrites = 600},
                        [&](std::vector<std::byte> bytes) { ++(lift(bytes) ? lifted : refused); });
  EXPECT_GT(lifted, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(HostileNetworkTest, HugeCountsAreRefused) {
  const auto refuse = [](const std::function<void(NetworkBuilder&)>& fill) {
    NetworkBuilder net(/*exact=*/true);
    net.Input("x", {2}).Output("y");
    fill(net);
    const auto model = net.Lift();
    EXPECT_FALSE(model.ok());
  };
  refuse([](NetworkBuilder& net) {
    net.Layer({}, {"y"})->mutable_fillstatic()->add_targetshape(UINT64_MAX);
  });
  refuse([](NetworkBuilder& net) {
    auto* range = net.Layer({}, {"y"})->mutable_rangestatic();
    range->set_endvalue(1e30f);
    range->set_stepsizevalue(1);
  });
  refuse([](NetworkBuilder& net) {
    auto* product = net.Layer({"x"}, {"y"})->mutable_innerproduct();
    product->set_inputchannels(2);
    product->set_outputchannels(INT32_MAX);
  });
  refuse([](NetworkBuilder& net) {
    auto* lstm = net.Layer({"x"}, {"y"})->mutable_gru();
    lstm->set_inputvectorsize(INT32_MAX);
    lstm->set_outputvectorsize(INT32_MAX);
  });
}

}  // namespace
}  // namespace anemone::neural_network
