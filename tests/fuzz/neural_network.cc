// A neural network of the specification: lifted, or refused.
#include "fuzz/target.h"
#include "neural_network/lift.h"
#include "unit/neural_network/small_network.h"

namespace anemone::fuzz {

std::vector<std::string> Seeds() { return {neural_network::SmallNetwork()}; }

void Try(std::span<const std::byte> bytes) {
  const auto file = format::ModelFile::Parse(Copied(bytes), "model", "/nowhere");
  if (file.ok() && neural_network::IsNeuralNetwork(*file)) (void)neural_network::Lift(*file).ok();
}

}  // namespace anemone::fuzz
