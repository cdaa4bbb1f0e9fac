// gru, lstm and rnn: definitions.
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/recurrent/activations.h"

namespace anemone::ops::recurrent {
namespace {

// x is [steps, batch, features]; the matrices of `gates` gates stand one below the other.
struct Sizes {
  int64_t steps = kDynamic, batch = kDynamic, features = kDynamic, hidden = kDynamic;
  int64_t gates = 1;
  int64_t directions = 1;
};

// `param`, if given, has `shape` (kDynamic agrees with anything).
Status CheckShape(const OpArgs& args, std::string_view param, const Shape& shape,
                  std::string_view label) {
  if (!args.Has(param) || !args.TypeOf(param).has_rank()) return {};
  const Shape& given = args.TypeOf(param).shape();
  if (ShapesAgree(given, shape)) return {};
  return Violates(label, "{} has shape {}, wanted {}", param, ir::ShapeToString(given),
                  ir::ShapeToString(shape));
}

// Input and recurrent matrices, and the biases that go with them.
Status CheckWeights(const OpArgs& args, const Sizes& sizes, std::string_view input_weight,
                    std::string_view recurrent_weight,
                    std::initializer_list<std::string_view> biases) {
  ANEMONE_ASSIGN(const int64_t rows, MulDims(sizes.hidden, sizes.gates));
  ANEMONE_TRY(CheckShape(args, input_weight, {rows, sizes.features}, "recurrent_c3"));
  ANEMONE_TRY(CheckShape(args, recurrent_weight, {rows, sizes.hidden}, "recurrent_c3"));
  for (std::string_view bias : biases) ANEMONE_TRY(CheckShape(args, bias, {rows}, "recurrent_c4"));
  return {};
}

Status CheckActivations(const OpArgs& args, std::initializer_list<std::string_view> params) {
  for (std::string_view param : params) {
    ANEMONE_ASSIGN(const std::string name, args.String(param));
    if (!ActivationFromName(name)) return Violates("recurrent_c6", "{} is \"{}\"", param, name);
  }
  return {};
}

// What the three operators share: sizes, direction, initial states.
Result<Sizes> CheckCommon(const OpArgs& args, int64_t gates, bool bidirectional_allowed) {
  Sizes sizes;
  sizes.gates = gates;
  ANEMONE_TRY(CheckRank(args, "x", 3, "recurrent_c1"));
  ANEMONE_ASSIGN(const std::string direction, args.String("direction"));
  const bool bidirectional = direction == "bidirectional";
  if (direction != "forward" && direction != "reverse" &&
      !(bidirectional && bidirectional_allowed)) {
    return Violates("recurrent_c2", "direction is \"{}\"", direction);
  }
  sizes.directions = bidirectional ? 2 : 1;
  const Type& x = args.TypeOf("x");
  if (x.has_rank()) {
    sizes.steps = x.shape()[0];
    sizes.batch = x.shape()[1];
    sizes.features = x.shape()[2];
  }
  const Type& weight = args.TypeOf("weight_hh");
  if (weight.rank() != 2) return Violates("recurrent_c3", "weight_hh has rank {}", weight.rank());
  sizes.hidden = weight.shape()[1];
  ANEMONE_ASSIGN(const int64_t states, MulDims(sizes.hidden, sizes.directions));
  for (std::string_view state : {"initial_h", "initial_c"}) {
    ANEMONE_TRY(CheckShape(args, state, {sizes.batch, states}, "recurrent_c5"));
  }
  return sizes;
}

// The sequence of outputs (or the last one) and `states` final states.
Status MakeOutputs(const OpArgs& args, const Sizes& sizes, size_t states,
                   std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const bool output_sequence, args.Bool("output_sequence"));
  ANEMONE_ASSIGN(const int64_t width, MulDims(sizes.hidden, sizes.directions));
  const DType dtype = args.TypeOf("x").dtype();
  *outputs = {Type::Tensor(dtype, {output_sequence ? sizes.steps : 1, sizes.batch, width})};
  outputs->resize(1 + states, Type::Tensor(dtype, {sizes.batch, width}));
  return {};
}

Status InferGru(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const Sizes sizes, CheckCommon(args, 3, false));
  ANEMONE_TRY(CheckWeights(args, sizes, "weight_ih", "weight_hh", {"bias", "input_bias"}));
  ANEMONE_TRY(CheckActivations(args, {"recurrent_activation", "activation"}));
  return MakeOutputs(args, sizes, 1, outputs);
}

Status InferLstm(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const Sizes sizes, CheckCommon(args, 4, true));
  ANEMONE_TRY(CheckWeights(args, sizes, "weight_ih", "weight_hh", {"bias"}));
  ANEMONE_ASSIGN(const int64_t peepholes, MulDims(sizes.hidden, 3));
  ANEMONE_TRY(CheckShape(args, "peephole", {peepholes}, "recurrent_c4"));
  if (sizes.directions == 2) {
    if (!args.Has("weight_ih_back") || !args.Has("weight_hh_back")) {
      return Violates("lstm_c1", "weight_ih_back or weight_hh_back is missing");
    }
    ANEMONE_TRY(CheckWeights(args, sizes, "weight_ih_back", "weight_hh_back", {"bias_back"}));
    ANEMONE_TRY(CheckShape(args, "peephole_back", {peepholes}, "recurrent_c4"));
  }
  ANEMONE_TRY(CheckActivations(args, {"recurrent_activation", "cell_activation", "activation"}));
  return MakeOutputs(args, sizes, 2, outputs);
}

Status InferRnn(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const Sizes sizes, CheckCommon(args, 1, false));
  ANEMONE_TRY(CheckWeights(args, sizes, "weight_ih", "weight_hh", {"bias"}));
  ANEMONE_TRY(CheckActivations(args, {"activation"}));
  return MakeOutputs(args, sizes, 1, outputs);
}

// Every step of every direction multiplies both matrices.
OpCost RecurrentCost(const OpArgs& args, std::span<const Type> outputs) {
  const Shape& x = args.TypeOf("x").shape();
  const Shape& weight = args.TypeOf("weight_hh").shape();
  if (x.size() != 3 || weight.size() != 2) return {};
  const Result<int64_t> columns = AddDims(x[2], weight[1]);
  if (!columns.ok() || weight[1] <= 0) return {};
  const int64_t directions = outputs[0].shape()[2] / weight[1];
  return {CostProduct({x[0], x[1], directions, weight[0], *columns, 2})};
}

Param State(std::string_view name) { return {.name = name, .types = "T"}; }
Param Weight(std::string_view name, bool required = true, Opset since = Opset::kIOS15) {
  return {.name = name, .types = "T", .required = required, .constant = true, .since = since};
}
Param Setting(std::string_view name, std::string_view types, std::string_view value,
              Opset since = Opset::kIOS15) {
  return {.name = name,
          .types = types,
          .required = false,
          .constant = true,
          .default_text = value,
          .since = since};
}

}  // namespace

std::vector<OpDef> Defs() {
  const std::vector<TypeDomain> domains = {{"T", "fp32", Opset::kIOS17, "fp16"}};
  const Param direction = Setting("direction", "string", "\"forward\"");
  const Param output_sequence = Setting("output_sequence", "bool", "false");
  const Param activation = Setting("activation", "string", "\"tanh\"");
  const Param recurrent_activation = Setting("recurrent_activation", "string", "\"sigmoid\"");
  const std::vector<Constraint> common = {
      {"recurrent_c1", "x has rank 3"},
      {"recurrent_c2", "direction is forward, reverse, or for lstm bidirectional"},
      {"recurrent_c3", "weight_ih is [gates * H, I] and weight_hh [gates * H, H]"},
      {"recurrent_c4", "biases have gates * H values, peepholes 3 * H"},
      {"recurrent_c5", "initial states are [b, H], for both directions [b, 2 * H]"},
      {"recurrent_c6",
       "activations are tanh, scaled_tanh, sigmoid, hard_sigmoid, sigmoid_hard, relu or linear"}};
  std::vector<Constraint> of_lstm = common;
  of_lstm.push_back({"lstm_c1", "a bidirectional lstm has weight_ih_back and weight_hh_back"});
  return {
      {.name = "gru",
       .doc = "Gated recurrent unit over x [s, b, I] with H hidden values. With f = "
              "recurrent_activation, g = activation and U, R the parts of weight_ih, weight_hh in "
              "the order r, o, z: r = f(U x + R h + b), z likewise, o = g(U x + R (r * h) + b), h "
              "= (1 - z) * o + z * h. With reset_after o = g(U x + input_bias + r * (R h + "
              "bias)). Gives the outputs [s, b, H] in the order of computation, or the last [1, "
              "b, H], and the final h [b, H].",
       .params = {State("x"), State("initial_h"), Weight("weight_ih"), Weight("weight_hh"),
                  Weight("bias", false), direction, output_sequence, recurrent_activation,
                  activation, Setting("reset_after", "bool", "false", Opset::kIOS18),
                  Weight("input_bias", false, Opset::kIOS18)},
       .domains = domains,
       .constraints = common,
       .infer = InferGru,
       .cost = RecurrentCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "lstm",
       .doc = "Long short-term memory over x [s, b, I] with H hidden values. With gates i, f, o, "
              "z in that order in weights and bias, and p the peepholes of i, f, o: i = f(U x + R "
              "h + b + p * c), f likewise, z = cell_activation(U x + R h + b), c = clip(f * c + i "
              "* z), o = f(U x + R h + b + p * c), h = o * activation(c). Gives the outputs, the "
              "final h and the final c; with direction bidirectional, forward and backward values "
              "stand side by side, both in the order of x.",
       .params = {State("x"), State("initial_h"), State("initial_c"), Weight("weight_ih"),
                  Weight("weight_hh"), Weight("bias", false), Weight("peephole", false),
                  Weight("weight_ih_back", false), Weight("weight_hh_back", false),
                  Weight("bias_back", false), Weight("peephole_back", false), direction,
                  output_sequence, recurrent_activation,
                  Setting("cell_activation", "string", "\"tanh\""), activation,
                  Weight("clip", false)},
       .domains = domains,
       .constraints = of_lstm,
       .infer = InferLstm,
       .cost = RecurrentCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "rnn",
       .doc = "h = activation(weight_ih x + weight_hh h + bias) over x [s, b, I] with H hidden "
              "values. Gives the outputs [s, b, H] in the order of computation, or the last [1, "
              "b, H], and the final h [b, H].",
       .params = {State("x"), State("initial_h"), Weight("weight_ih"), Weight("weight_hh"),
                  Weight("bias", false), direction, output_sequence, activation},
       .domains = domains,
       .constraints = common,
       .infer = InferRnn,
       .cost = RecurrentCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::recurrent
