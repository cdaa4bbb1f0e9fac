// Damaged networks: each is lifted or refused; none crashes or asks for memory out of proportion.
#include "small_network.h"
#include "support/mutations.h"

namespace anemone::neural_network {
namespace {

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
