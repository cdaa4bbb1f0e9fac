// LayerReader: one layer of a compiled network on its way back to the specification's layers. Its
// parameters are taken by name; one that nobody took and that is not 0, false or empty is refused,
// so that no parameter is ever left out in silence.
//
// Axes are counted from the last one: -1 is w, -2 h, -3 k, -4 n, -5 seq, whatever the rank.
//
// Ownership: borrows the files and the network. Thread rules: one thread. Errors: kInvalidInput for
// what breaks the form, kUnsupported for what is not known to mean what it seems to.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "format/espresso/network_files.h"
#include "format/proto/neural_network.pb.h"

namespace anemone::format::espresso {

namespace nn = proto::nn;

// What is not known about a compiled layer: the way on is the same for all.
template <typename... Args>
Error NotKnown(fmt::format_string<Args...> format, Args&&... args) {
  return Unsupported(format, std::forward<Args>(args)...)
      .Advise("bring the .mlmodel that the folder was compiled from");
}

struct NetworkSoFar {
  const NetworkFiles* files = nullptr;
  bool rank5 = false;  // blobs are [seq, n, k, h, w], whatever rank the file gives them
  nn::NeuralNetwork* network = nullptr;
};

class LayerReader {
 public:
  LayerReader(const Json& json, const NetworkSoFar& so_far);

  const std::string& name() const { return name_; }
  const std::string& type() const { return type_; }
  const std::vector<std::string>& bottoms() const { return bottoms_; }
  const std::vector<std::string>& tops() const { return tops_; }
  bool rank5() const { return so_far_.rank5; }
  // kInvalidInput unless there are so many inputs and outputs.
  Status CheckCounts(size_t bottoms, size_t tops = 1) const;

  // ---- parameters
  bool Has(std::string_view key) const { return json_.contains(key); }
  Result<int64_t> Int(std::string_view key, int64_t least, std::optional<int64_t> fallback = {});
  Result<float> Number(std::string_view key, std::optional<float> fallback = {});
  // Of 0, 1, false and true; false when it is absent.
  Result<bool> Flag(std::string_view key);
  // kUnsupported unless each is absent or one of `values`.
  Status Only(std::initializer_list<std::string_view> keys, std::initializer_list<double> values);
  // What repeats the shapes, which are declared for each blob.
  void Ignore(std::initializer_list<std::string_view> keys);
  // kUnsupported, naming them, when parameters or weights are left that nobody took.
  Status CheckAllTaken() const;

  // ---- shapes
  // Outermost first; five dimensions in a network of the old mapping.
  Result<ir::Shape> Dims(const std::string& blob) const;
  Result<int64_t> Rank(const std::string& blob) const;

  // ---- weights
  // The blob that `key` names, as bytes; kInvalidInput when the file does not have it.
  Result<Bytes> BlobOf(std::string_view key);
  // `count` float32 values.
  Result<std::vector<float>> Floats(std::string_view key, int64_t count);
  // The weights of a convolution or an inner product, in whatever form the layer has them: `count`
  // values, the first axis of which has `channels` elements.
  Status TakeWeights(int64_t count, int64_t channels, nn::WeightParams* weights);
  // `count` biases, if the layer has some; `padded` biases take four times the room.
  Result<bool> TakeBiases(int64_t count, bool padded, nn::WeightParams* biases);

  // ---- results
  // A layer from the inputs to the outputs, whose shapes are declared.
  nn::NeuralNetworkLayer* Add() { return AddFrom(bottoms_); }
  // The same, from values that AddHidden made.
  nn::NeuralNetworkLayer* AddFrom(const std::vector<std::string>& bottoms);
  // A layer from `bottoms` to a value without a declared shape, which Hidden() names.
  nn::NeuralNetworkLayer* AddHidden(const std::vector<std::string>& bottoms,
                                    const std::string& top);
  std::string Hidden(std::string_view what) const;
  // As Add, but followed by the activation that is fused to it, as the parameters `relu` and `tanh`
  // (empty: none) say.
  Result<nn::NeuralNetworkLayer*> AddFused(std::string_view relu, std::string_view tanh);

 private:
  const Json* Take(std::string_view key);
  nn::NeuralNetworkLayer* Append(const std::string& name, const std::vector<std::string>& bottoms,
                                 const std::vector<std::string>& tops);

  const Json& json_;
  NetworkSoFar so_far_;
  std::string name_, type_;
  std::vector<std::string> bottoms_, tops_;
  std::set<std::string, std::less<>> taken_;
  std::set<std::string, std::less<>> taken_weights_;
};

}  // namespace anemone::format::espresso
