// LayerContext: what the lifting of one layer works with: the layer, its input blobs, and the
// emission of operators.
//
// A Blob is a value of the program and the dimensions that the network gives it. The two may differ
// by a pure reshape: a blob [1, 1, C, H, W] of the old mapping is carried as [1, C, H, W], which is
// what convolutions take, and reshaped only where a layer asks for all five dimensions.
//
// Emission is sticky: after a failure, values are null and Set reports the error. Thread rules: one
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/proto/neural_network.pb.h"
#include "ir/builder.h"
#include "neural_network/weights.h"

namespace anemone::neural_network {

namespace nn = format::proto::nn;

// Core ML tensors have at most five dimensions.
constexpr int64_t kMaxRank = 5;

struct Blob {
  ir::Value* value = nullptr;
  ir::Shape dims;      // kDynamic where only the run time knows
  bool ranked = true;  // false: the rank is known only at run time; dims is empty
  // All dimensions were squeezed away: dims is [1], for every blob has a dimension, but expandDims
  // counts from rank 0.
  bool scalar = false;
};

using Args = std::vector<ir::ArgInit>;

// How the blobs of a network came to be.
struct NetworkTraits {
  bool rank5 = false;  // arrays are mapped to [sequence, batch, channel, height, width]
  WeightSource weights;
  // The layers declare the shapes of their outputs, and were made by reading them: another shape
  // means that a layer was read wrongly.
  bool checks_shapes = false;
  // Layers lifted so far, those of bodies as often as they are tried.
  std::shared_ptr<int64_t> lifted = std::make_shared<int64_t>(0);
};

class Scope;

class LayerContext {
 public:
  LayerContext(const nn::NeuralNetworkLayer& layer, const NetworkTraits& traits, Scope& scope,
               ir::Builder& builder, std::vector<Blob> inputs);

  const nn::NeuralNetworkLayer& layer() const { return layer_; }
  const NetworkTraits& traits() const { return traits_; }
  ir::Builder& builder() { return builder_; }
  Scope& scope() { return scope_; }
  std::string name() const { return layer_.name(); }

  // ---- inputs
  size_t InputCount() const { return inputs_.size(); }
  size_t OutputCount() const { return outputs_.size(); }
  // kInvalidInput unless there are between `least` and `most` inputs, and `outputs` outputs.
  Status CheckCounts(size_t least, size_t most, size_t outputs = 1) const;
  const Blob& In(size_t i) const { return inputs_[i]; }
  const ir::Shape& Dims(size_t i) const { return inputs_[i].dims; }
  int64_t Rank(size_t i) const { return static_cast<int64_t>(inputs_[i].dims.size()); }
  // kUnsupported when the rank is known only at run time; kInvalidInput below `least`.
  Status CheckRank(size_t i, int64_t least = 0) const;
  // The input under its own dimensions, as float32 ...
  ir::Value* Value(size_t i);
  // ... with the dtype it has (float32, int32 or bool) ...
  ir::Value* Raw(size_t i);
  // ... as int32 or as bool (true where it is not 0).
  ir::Value* Int(size_t i);
  ir::Value* Bool(size_t i);
  // All inputs, as int32 if every one is, else as float32.
  std::vector<ir::Value*> Values();
  // Whether a blob is int32 in the program.
  bool IsInt(size_t i) const { return inputs_[i].value->type.dtype() == DType::kInt32; }
  // The values of an input that is known when the model is loaded; nullopt otherwise.
  std::optional<std::vector<int64_t>> KnownInts(size_t i) const;
  // As [N, C, H, W]: all dimensions before the last three in one, missing ones 1.
  ir::Value* Nchw(size_t i);
  // As it is carried, float32: for what works element by element.
  ir::Value* Carried(size_t i);
  // Inputs under dimensions that broadcast against each other; `lead` gets the dimensions [1] to
  // put before the result's when a common leading 1 was left out.
  std::vector<ir::Value*> Aligned(ir::Shape* lead);
  // `axis` of input `i`, within [0, rank).
  Result<int64_t> Axis(size_t i, int64_t axis) const;

  // ---- emission
  ir::Value* Op(std::string_view type, Args args);
  std::vector<ir::Value*> MultiOp(std::string_view type, Args args);
  ir::Value* Binary(std::string_view type, ir::Value* x, ir::Value* y);
  ir::Value* Constant(ir::Literal literal, std::string_view suffix);
  ir::Value* Float(float value) { return Constant(ir::Literal::Fp32(value), "value"); }
  ir::Value* Cast(ir::Value* value, DType dtype);
  // `value` seen under `dims`.
  ir::Value* View(ir::Value* value, const ir::Shape& dims);
  ir::Value* Transpose(ir::Value* value, const std::vector<int64_t>& perm);
  // The weights of the layer under `shape`; a failure is sticky.
  ir::Value* Weights(const nn::WeightParams& params, const ir::Shape& shape, std::string_view what,
                     size_t channel_axis = 0);
  // The first failure wins.
  ir::Value* Fail(Status status);

  // ---- results
  // The value has the dimensions of its type.
  Status Set(size_t output, ir::Value* value);
  Status SetView(size_t output, ir::Value* value, ir::Shape dims);
  // `value` is carried as input `input` is, and has its dimensions.
  Status SetLike(size_t output, ir::Value* value, size_t input);
  // `value` is [N, C, H, W]; the dimensions before the last three are those of `input`.
  Status SetNchw(size_t output, ir::Value* value, size_t input);
  Status SetBlob(size_t output, Blob blob);
  Status status() const { return status_; }
  std::vector<Blob>& outputs() { return outputs_; }

 private:
  ir::Value* Under(size_t i);

  const nn::NeuralNetworkLayer& layer_;
  const NetworkTraits& traits_;
  Scope& scope_;
  ir::Builder& builder_;
  std::vector<Blob> inputs_;
  std::vector<Blob> outputs_;
  Status status_;
};

// A size, count or factor of the file, at least `least`, as int64; kInvalidInput naming `what`.
Result<int64_t> CheckedSize(uint64_t size, std::string_view what, int64_t least = 1);
Result<std::vector<int64_t>> CheckedSizes(const google::protobuf::RepeatedField<uint64_t>& sizes,
                                          std::string_view what, int64_t least = 1);
// The same for two dimensions; `fallback` twice where none are given.
Result<std::vector<int64_t>> TwoSizesOr(const google::protobuf::RepeatedField<uint64_t>& given,
                                        std::string_view what, int64_t fallback);
// A scalar int32.
inline ir::Literal Int(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }
// Whether each dimension is known.
bool IsStatic(const ir::Shape& dims);

}  // namespace anemone::neural_network
