// simpleRecurrent, gru, uniDirectionalLSTM and biDirectionalLSTM. Sequences are [sequence, batch,
// channel, 1, 1] in the network and [sequence, batch, channel] in the program.
#include <array>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;
using Activation = nn::ActivationParams;

// The name of an activation that recurrent operators have, with the parameters that they give it.
Result<std::string> ActivationName(const Activation& params) {
  switch (params.NonlinearityType_case()) {
    case Activation::kTanh:
      return std::string("tanh");
    case Activation::kSigmoid:
      return std::string("sigmoid");
    case Activation::kReLU:
      return std::string("relu");
    case Activation::kLinear:
      // Parameters that are missing are those of the identity.
      if ((params.linear().alpha() == 1 || params.linear().alpha() == 0) &&
          params.linear().beta() == 0) {
        return std::string("linear");
      }
      break;
    case Activation::kSigmoidHard:
      if ((params.sigmoidhard().alpha() == 0.2f && params.sigmoidhard().beta() == 0.5f) ||
          (params.sigmoidhard().alpha() == 0 && params.sigmoidhard().beta() == 0)) {
        return std::string("sigmoid_hard");
      }
      break;
    case Activation::kScaledTanh:
      if ((params.scaledtanh().alpha() == 1 && params.scaledtanh().beta() == 1) ||
          (params.scaledtanh().alpha() == 0 && params.scaledtanh().beta() == 0)) {
        return std::string("scaled_tanh");
      }
      break;
    default:
      return Unsupported("activation {} in a recurrent layer",
                         static_cast<int>(params.NonlinearityType_case()))
          .Advise("recurrent operators have tanh, sigmoid, relu, linear and hard sigmoid");
  }
  return Unsupported("an activation with parameters of its own in a recurrent layer")
      .Advise("recurrent operators have linear, hard sigmoid (0.2, 0.5) and scaled tanh (1, 1)");
}

// Matrices or vectors one below the other.
class Stacked {
 public:
  Stacked(const LayerContext& context, int64_t hidden, int64_t columns)
      : context_(context), hidden_(hidden), columns_(columns) {}

  Status Add(const nn::WeightParams& params, std::string_view what, float added = 0) {
    const ir::Shape shape = columns_ == 0 ? ir::Shape{hidden_} : ir::Shape{hidden_, columns_};
    ANEMONE_ASSIGN(auto values, context_.traits().weights.ReadFloats(params, shape).At(what));
    for (float& value : values) value += added;
    values_.insert(values_.end(), values.begin(), values.end());
    ++gates_;
    return {};
  }
  // A vector of one value.
  void AddConstant(float value) {
    values_.insert(values_.end(), static_cast<size_t>(hidden_), value);
    ++gates_;
  }
  ir::Literal Take() {
    ir::Shape shape = {gates_ * hidden_};
    if (columns_ != 0) shape.push_back(columns_);
    return ir::Literal::Fp32s(std::move(values_), std::move(shape));
  }

 private:
  const LayerContext& context_;
  int64_t hidden_, columns_;
  int64_t gates_ = 0;
  std::vector<float> values_;
};

struct Sizes {
  int64_t inputs = 0, hidden = 0;
};

Result<Sizes> ReadSizes(uint64_t inputs, uint64_t hidden) {
  constexpr int64_t kMostHidden = 1 << 20;
  Sizes sizes;
  ANEMONE_ASSIGN(sizes.inputs, CheckedSize(inputs, "inputVectorSize"));
  ANEMONE_ASSIGN(sizes.hidden, CheckedSize(hidden, "outputVectorSize"));
  if (sizes.hidden > kMostHidden) return InvalidInput("outputVectorSize is {}", sizes.hidden);
  return sizes;
}

// The sequence as [sequence, batch, channel].
Result<ir::Value*> Sequence(LayerContext& c, int64_t inputs) {
  ANEMONE_TRY(c.CheckRank(0, 5));
  const ir::Shape& dims = c.Dims(0);
  if ((dims[2] != inputs && dims[2] != ir::kDynamic) || dims[3] != 1 || dims[4] != 1) {
    return InvalidInput("a sequence of shape {} for vectors of {}", ir::ShapeToString(dims),
                        inputs);
  }
  ir::Value* x = c.View(c.Carried(0), {dims[0], dims[1], dims[2]});
  ANEMONE_TRY(c.status());
  return x;
}

// A state [1, batch, hidden, 1, 1] as [batch, hidden]; zeros where it is not an input.
ir::Value* InitialState(LayerContext& c, size_t input, int64_t hidden) {
  const int64_t batch = c.Dims(0)[1];
  if (input < c.InputCount()) {
    // Writers differ in where the dimensions of size 1 are; the order of the elements is the same.
    return c.View(c.Carried(input), {batch, hidden});
  }
  if (batch == ir::kDynamic) {
    return c.Fail(Unsupported("an initial state of zeros for a batch of any size"));
  }
  return c.Constant(
      ir::Literal::Fp32s(std::vector<float>(static_cast<size_t>(batch * hidden), 0.0f),
                         {batch, hidden}),
      "initial");
}

// [sequence, batch, channel] as a blob.
Status SetSequence(LayerContext& c, size_t output, ir::Value* y) {
  ANEMONE_TRY(c.status());
  ir::Shape dims = y->type.shape();
  dims.insert(dims.end(), {1, 1});
  return c.SetView(output, y, std::move(dims));
}

// [batch, channel] as a blob, where the layer gives it.
Status SetState(LayerContext& c, size_t output, ir::Value* state) {
  ANEMONE_TRY(c.status());
  if (output >= c.OutputCount()) return {};
  ir::Shape dims = state->type.shape();
  dims.insert(dims.begin(), 1);
  dims.insert(dims.end(), {1, 1});
  return c.SetView(output, state, std::move(dims));
}

ir::Literal Direction(bool reverse) { return ir::Literal::String(reverse ? "reverse" : "forward"); }

Status CheckOutputCount(const LayerContext& c, size_t most) {
  if (c.OutputCount() >= 1 && c.OutputCount() <= most) return {};
  return InvalidInput("it has {} outputs, not 1 to {}", c.OutputCount(), most);
}

Status EmitSimpleRecurrent(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2, c.OutputCount()));
  ANEMONE_TRY(CheckOutputCount(c, 2));
  const nn::SimpleRecurrentLayerParams& params = c.layer().simplerecurrent();
  ANEMONE_ASSIGN(const Sizes sizes, ReadSizes(params.inputvectorsize(), params.outputvectorsize()));
  ANEMONE_ASSIGN(const std::string activation, ActivationName(params.activation()));
  ANEMONE_ASSIGN(ir::Value * x, Sequence(c, sizes.inputs));
  Args args = {
      {"x", x},
      {"initial_h", InitialState(c, 1, sizes.hidden)},
      {"weight_ih", c.Weights(params.weightmatrix(), {sizes.hidden, sizes.inputs}, "weight_ih")},
      {"weight_hh", c.Weights(params.recursionmatrix(), {sizes.hidden, sizes.hidden}, "weight_hh")},
      {"direction", Direction(params.reverseinput())},
      {"output_sequence", ir::Literal::Bool(params.sequenceoutput())},
      {"activation", ir::Literal::String(activation)}};
  if (params.hasbiasvector()) {
    args.push_back({"bias", c.Weights(params.biasvector(), {sizes.hidden}, "bias")});
  }
  const auto results = c.MultiOp("rnn", std::move(args));
  ANEMONE_TRY(c.status());
  ANEMONE_TRY(SetSequence(c, 0, results[0]));
  return SetState(c, 1, results[1]);
}

Status EmitGru(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2, c.OutputCount()));
  ANEMONE_TRY(CheckOutputCount(c, 2));
  const nn::GRULayerParams& params = c.layer().gru();
  ANEMONE_ASSIGN(const Sizes sizes, ReadSizes(params.inputvectorsize(), params.outputvectorsize()));
  if (params.activations_size() != 2) {
    return InvalidInput("{} activations, not 2", params.activations_size());
  }
  ANEMONE_ASSIGN(const std::string gates, ActivationName(params.activations(0)));
  ANEMONE_ASSIGN(const std::string output, ActivationName(params.activations(1)));
  ANEMONE_ASSIGN(ir::Value * x, Sequence(c, sizes.inputs));
  // The operator has the gates in the order reset, output, update.
  Stacked input(c, sizes.hidden, sizes.inputs), recurrent(c, sizes.hidden, sizes.hidden);
  ANEMONE_TRY(input.Add(params.resetgateweightmatrix(), "resetGateWeightMatrix"));
  ANEMONE_TRY(input.Add(params.outputgateweightmatrix(), "outputGateWeightMatrix"));
  ANEMONE_TRY(input.Add(params.updategateweightmatrix(), "updateGateWeightMatrix"));
  ANEMONE_TRY(recurrent.Add(params.resetgaterecursionmatrix(), "resetGateRecursionMatrix"));
  ANEMONE_TRY(recurrent.Add(params.outputgaterecursionmatrix(), "outputGateRecursionMatrix"));
  ANEMONE_TRY(recurrent.Add(params.updategaterecursionmatrix(), "updateGateRecursionMatrix"));
  Args args = {{"x", x},
               {"initial_h", InitialState(c, 1, sizes.hidden)},
               {"weight_ih", input.Take()},
               {"weight_hh", recurrent.Take()},
               {"direction", Direction(params.reverseinput())},
               {"output_sequence", ir::Literal::Bool(params.sequenceoutput())},
               {"recurrent_activation", ir::Literal::String(gates)},
               {"activation", ir::Literal::String(output)}};
  if (params.hasbiasvectors()) {
    Stacked bias(c, sizes.hidden, 0);
    ANEMONE_TRY(bias.Add(params.resetgatebiasvector(), "resetGateBiasVector"));
    ANEMONE_TRY(bias.Add(params.outputgatebiasvector(), "outputGateBiasVector"));
    ANEMONE_TRY(bias.Add(params.updategatebiasvector(), "updateGateBiasVector"));
    args.push_back({"bias", bias.Take()});
  }
  const auto results = c.MultiOp("gru", std::move(args));
  ANEMONE_TRY(c.status());
  ANEMONE_TRY(SetSequence(c, 0, results[0]));
  return SetState(c, 1, results[1]);
}

// ---- LSTM

// The weights of one direction, in the operator's order: input, forget, output, block input.
struct LstmWeights {
  ir::Literal input, recurrent;
  std::optional<ir::Literal> bias, peephole;
};

Result<LstmWeights> ReadLstm(const LayerContext& c, const nn::LSTMWeightParams& weights,
                             const nn::LSTMParams& params, const Sizes& sizes) {
  LstmWeights result;
  Stacked input(c, sizes.hidden, sizes.inputs), recurrent(c, sizes.hidden, sizes.hidden);
  ANEMONE_TRY(input.Add(weights.inputgateweightmatrix(), "inputGateWeightMatrix"));
  ANEMONE_TRY(input.Add(weights.forgetgateweightmatrix(), "forgetGateWeightMatrix"));
  ANEMONE_TRY(input.Add(weights.outputgateweightmatrix(), "outputGateWeightMatrix"));
  ANEMONE_TRY(input.Add(weights.blockinputweightmatrix(), "blockInputWeightMatrix"));
  ANEMONE_TRY(recurrent.Add(weights.inputgaterecursionmatrix(), "inputGateRecursionMatrix"));
  ANEMONE_TRY(recurrent.Add(weights.forgetgaterecursionmatrix(), "forgetGateRecursionMatrix"));
  ANEMONE_TRY(recurrent.Add(weights.outputgaterecursionmatrix(), "outputGateRecursionMatrix"));
  ANEMONE_TRY(recurrent.Add(weights.blockinputrecursionmatrix(), "blockInputRecursionMatrix"));
  result.input = input.Take();
  result.recurrent = recurrent.Take();
  // forgetBias adds one to the bias of the forget gate.
  const float forget = params.forgetbias() ? 1 : 0;
  Stacked bias(c, sizes.hidden, 0);
  if (params.hasbiasvectors()) {
    ANEMONE_TRY(bias.Add(weights.inputgatebiasvector(), "inputGateBiasVector"));
    ANEMONE_TRY(bias.Add(weights.forgetgatebiasvector(), "forgetGateBiasVector", forget));
    ANEMONE_TRY(bias.Add(weights.outputgatebiasvector(), "outputGateBiasVector"));
    ANEMONE_TRY(bias.Add(weights.blockinputbiasvector(), "blockInputBiasVector"));
    result.bias = bias.Take();
  } else if (forget != 0) {
    for (const float value : {0.0f, forget, 0.0f, 0.0f}) bias.AddConstant(value);
    result.bias = bias.Take();
  }
  if (params.haspeepholevectors()) {
    Stacked peephole(c, sizes.hidden, 0);
    ANEMONE_TRY(peephole.Add(weights.inputgatepeepholevector(), "inputGatePeepholeVector"));
    ANEMONE_TRY(peephole.Add(weights.forgetgatepeepholevector(), "forgetGatePeepholeVector"));
    ANEMONE_TRY(peephole.Add(weights.outputgatepeepholevector(), "outputGatePeepholeVector"));
    result.peephole = peephole.Take();
  }
  return result;
}

using Activations = std::array<std::string, 3>;  // of the gates, the cell and the output

Result<Activations> ReadActivations(
    const google::protobuf::RepeatedPtrField<Activation>& activations) {
  if (activations.size() != 3) return InvalidInput("{} activations, not 3", activations.size());
  Activations names;
  for (int i = 0; i < 3; ++i) {
    ANEMONE_ASSIGN(names[static_cast<size_t>(i)], ActivationName(activations[i]));
  }
  return names;
}

void AddLstmWeights(LstmWeights weights, std::string_view suffix, Args* args) {
  // The names are literals of the program's text.
  const bool back = !suffix.empty();
  args->push_back({back ? "weight_ih_back" : "weight_ih", std::move(weights.input)});
  args->push_back({back ? "weight_hh_back" : "weight_hh", std::move(weights.recurrent)});
  if (weights.bias) args->push_back({back ? "bias_back" : "bias", std::move(*weights.bias)});
  if (weights.peephole) {
    args->push_back({back ? "peephole_back" : "peephole", std::move(*weights.peephole)});
  }
}

Args LstmArgs(ir::Value* x, ir::Value* h, ir::Value* c, const nn::LSTMParams& params,
              const Activations& activations, std::string_view direction) {
  Args args = {{"x", x},
               {"initial_h", h},
               {"initial_c", c},
               {"direction", ir::Literal::String(std::string(direction))},
               {"output_sequence", ir::Literal::Bool(params.sequenceoutput())},
               {"recurrent_activation", ir::Literal::String(activations[0])},
               {"cell_activation", ir::Literal::String(activations[1])},
               {"activation", ir::Literal::String(activations[2])}};
  // No threshold is no clipping.
  if (params.cellclipthreshold() > 0) {
    args.push_back({"clip", ir::Literal::Fp32(params.cellclipthreshold())});
  }
  return args;
}

Status CheckLstm(const nn::LSTMParams& params) {
  if (!params.coupledinputandforgetgate()) return {};
  return Unsupported("a coupled input and forget gate")
      .Advise("convert the original model with separate gates");
}

Status EmitUniLstm(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 3, c.OutputCount()));
  ANEMONE_TRY(CheckOutputCount(c, 3));
  const nn::UniDirectionalLSTMLayerParams& params = c.layer().unidirectionallstm();
  ANEMONE_ASSIGN(const Sizes sizes, ReadSizes(params.inputvectorsize(), params.outputvectorsize()));
  ANEMONE_TRY(CheckLstm(params.params()));
  ANEMONE_ASSIGN(const Activations activations, ReadActivations(params.activations()));
  ANEMONE_ASSIGN(LstmWeights weights, ReadLstm(c, params.weightparams(), params.params(), sizes));
  ANEMONE_ASSIGN(ir::Value * x, Sequence(c, sizes.inputs));
  Args args = LstmArgs(x, InitialState(c, 1, sizes.hidden), InitialState(c, 2, sizes.hidden),
                       params.params(), activations, params.reverseinput() ? "reverse" : "forward");
  AddLstmWeights(std::move(weights), "", &args);
  const auto results = c.MultiOp("lstm", std::move(args));
  ANEMONE_TRY(c.status());
  ANEMONE_TRY(SetSequence(c, 0, results[0]));
  ANEMONE_TRY(SetState(c, 1, results[1]));
  return SetState(c, 2, results[2]);
}

ir::Value* Join(LayerContext& c, ir::Value* x, ir::Value* y) {
  return c.Op("concat",
              {{"values", std::vector<ir::Value*>{x, y}}, {"axis", ir::Literal::Int32(-1)}});
}

// Part `index` of the last dimension of [batch, 2 * hidden].
ir::Value* Half(LayerContext& c, ir::Value* x, int64_t hidden, int64_t index) {
  return c.Op("slice_by_index", {{"x", x},
                                 {"begin", ir::Ints({0, index * hidden})},
                                 {"end", ir::Ints({0, (index + 1) * hidden})},
                                 {"begin_mask", ir::Literal::Bools({true, false})},
                                 {"end_mask", ir::Literal::Bools({true, false})}});
}

// Inputs are the sequence, then hidden and cell state forward, hidden and cell state backward; so
// are the outputs.
Status EmitBiLstm(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 5, c.OutputCount()));
  ANEMONE_TRY(CheckOutputCount(c, 5));
  const nn::BiDirectionalLSTMLayerParams& params = c.layer().bidirectionallstm();
  ANEMONE_ASSIGN(const Sizes sizes, ReadSizes(params.inputvectorsize(), params.outputvectorsize()));
  ANEMONE_TRY(CheckLstm(params.params()));
  if (params.weightparams_size() != 2) {
    return InvalidInput("weights of {} directions, not 2", params.weightparams_size());
  }
  ANEMONE_ASSIGN(const Activations forward, ReadActivations(params.activationsforwardlstm()));
  ANEMONE_ASSIGN(const Activations backward, ReadActivations(params.activationsbackwardlstm()));
  if (forward != backward) {
    return Unsupported("other activations backward than forward")
        .Advise("use two layers of one direction each");
  }
  ANEMONE_ASSIGN(LstmWeights ahead, ReadLstm(c, params.weightparams(0), params.params(), sizes));
  ANEMONE_ASSIGN(LstmWeights back, ReadLstm(c, params.weightparams(1), params.params(), sizes));
  ANEMONE_ASSIGN(ir::Value * x, Sequence(c, sizes.inputs));
  const auto state = [&](size_t input) { return InitialState(c, input, sizes.hidden); };
  ir::Value* h = Join(c, state(1), state(3));
  ir::Value* cell = Join(c, state(2), state(4));
  Args args = LstmArgs(x, h, cell, params.params(), forward, "bidirectional");
  AddLstmWeights(std::move(ahead), "", &args);
  AddLstmWeights(std::move(back), "back", &args);
  const auto results = c.MultiOp("lstm", std::move(args));
  ANEMONE_TRY(c.status());
  ANEMONE_TRY(SetSequence(c, 0, results[0]));
  for (int64_t direction = 0; direction < 2; ++direction) {
    for (size_t part = 0; part < 2; ++part) {
      const size_t output = 1 + 2 * static_cast<size_t>(direction) + part;
      if (output >= c.OutputCount()) continue;
      ANEMONE_TRY(SetState(c, output, Half(c, results[1 + part], sizes.hidden, direction)));
    }
  }
  return {};
}

constexpr std::string_view kActivationLimits =
    "activations but tanh, sigmoid, relu, linear, hard sigmoid (0.2, 0.5), scaled tanh (1, 1)";

constexpr LayerRow kRecurrentRows[] = {
    {Layer::kSimpleRecurrent, "simpleRecurrent", EmitSimpleRecurrent, "rnn", kActivationLimits},
    {Layer::kGru, "gru", EmitGru, "gru", kActivationLimits},
    {Layer::kUniDirectionalLSTM, "uniDirectionalLSTM", EmitUniLstm, "lstm",
     "a coupled input and forget gate; activations as for gru"},
    {Layer::kBiDirectionalLSTM, "biDirectionalLSTM", EmitBiLstm, "lstm",
     "a coupled input and forget gate; other activations backward than forward"},
};

}  // namespace

std::span<const LayerRow> RecurrentLayers() { return kRecurrentRows; }

}  // namespace anemone::neural_network
