// ONNX: LSTM, GRU, RNN.
//
// ONNX keeps the gates in the order i o f c (LSTM) and z r h (GRU), weights as [directions, gates *
// hidden, input]; MIL in the order i f o c and r h z, with the two directions side by side in the
// states.
#include <algorithm>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "ops/recurrent/cell_onnx.h"
#include "ops/recurrent/gru_steps_onnx.h"

namespace anemone::ops::recurrent {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char ch) {
    return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch - 'A' + 'a') : ch;
  });
  return text;
}

Result<Cell> ReadCell(const NodeContext& c, int64_t gates) {
  ANEMONE_TRY(c.NeedInputs(3));
  if (!c.Known(1) || !c.Known(2) || (c.Has(3) && !c.Known(3))) {
    return Unsupported("weights computed at run time").Advise("make the weights initializers");
  }
  Cell cell;
  cell.direction = c.String("direction", "forward");
  if (cell.direction != "forward" && cell.direction != "reverse" &&
      cell.direction != "bidirectional") {
    return InvalidInput("direction is '{}'", cell.direction);
  }
  cell.directions = cell.direction == "bidirectional" ? 2 : 1;
  cell.batch_first = c.Int("layout", 0) != 0;
  if (c.Rank(0) != 3 || c.Rank(1) != 3 || c.Rank(2) != 3)
    return InvalidInput("inputs X, W and R need rank 3");
  cell.length = c.Sizes(0)[cell.batch_first ? 1 : 0];
  cell.batch = c.Sizes(0)[cell.batch_first ? 0 : 1];
  cell.hidden = c.Dims(2)[2];
  const ir::Shape w = {cell.directions, gates * cell.hidden, c.Dims(0)[2]};
  const ir::Shape r = {cell.directions, gates * cell.hidden, cell.hidden};
  const ir::Shape b = {cell.directions, 2 * gates * cell.hidden};
  if (!Symbols::IsSymbol(cell.batch) && !FoldableCount({cell.batch, cell.directions * cell.hidden}))
    return Unsupported("states of {} by {}", cell.batch, cell.hidden);
  if (cell.hidden < 1 || c.Dims(1) != w || c.Dims(2) != r || (c.Has(3) && c.Dims(3) != b)) {
    return InvalidInput("the shapes of W, R and B do not fit X");
  }
  if (c.Has(4)) {
    const auto* lengths = c.Const(4);
    const auto values = lengths != nullptr ? lengths->AsInts() : std::nullopt;
    if (!values ||
        !std::all_of(values->begin(), values->end(), [&](int64_t v) { return v == cell.length; })) {
      return Unsupported("sequence_lens")
          .Advise("export without lengths, with sequences of one length");
    }
  }
  if (c.HasAttribute("clip")) return Unsupported("clip").Advise("export without it");
  return cell;
}

struct Weights {
  decltype(ir::ArgInit::value) input, hidden;
  ir::Literal bias;
};

// W or R of one direction: a quantized one keeps its integers.
decltype(ir::ArgInit::value) WeightOf(NodeContext& c, const Cell& cell, size_t input,
                                      int64_t direction, const std::vector<int64_t>& order) {
  const auto gates = static_cast<int64_t>(order.size());
  const int64_t columns = c.Dims(input)[2];
  if (const auto* quantized = c.QuantizedIn(input); quantized != nullptr) {
    const auto rows = quantized->Reshaped({cell.directions * gates * cell.hidden, columns});
    std::vector<int64_t> groups;
    for (const int64_t gate : order) groups.push_back(direction * gates + gate);
    if (rows) return c.MakeConst(rows->Rows(groups, cell.hidden), "weight");
  }
  return ir::Literal::Fp32s(Reorder(*c.Const(input), direction, order, cell.hidden),
                            {gates * cell.hidden, columns});
}

// `order` names for each gate of MIL the gate of ONNX. The two biases of ONNX are added.
Weights ReadWeights(NodeContext& c, const Cell& cell, int64_t direction,
                    const std::vector<int64_t>& order) {
  const auto gates = static_cast<int64_t>(order.size());
  const int64_t rows = gates * cell.hidden;
  std::vector<float> bias(static_cast<size_t>(rows), 0.0f);
  if (c.Has(3)) {
    bias = Reorder(*c.Const(3), direction, order, cell.hidden);
    const auto second = Reorder(*c.Const(3), direction, order, cell.hidden, gates);
    for (size_t i = 0; i < bias.size(); ++i) bias[i] += second[i];
  }
  return {WeightOf(c, cell, 1, direction, order), WeightOf(c, cell, 2, direction, order),
          ir::Literal::Fp32s(std::move(bias), {rows})};
}

// The initial state in MIL's layout: [batch, directions * hidden].
ir::Value* State(NodeContext& c, const Cell& cell, size_t input) {
  const ir::Shape dims = {cell.batch, cell.directions * cell.hidden};
  if (!c.Has(input) && Symbols::IsSymbol(cell.batch)) {
    ir::Value* zeros =
        c.Op("fill", {{"shape", c.SizesValue(dims, "initial")}, {"value", ir::Literal::Fp32(0)}});
    return c.WithDims(zeros, dims);
  }
  if (!c.Has(input)) {
    const auto zero = Constant::Floats({0.0f}, {});
    return c.MakeConst(BroadcastConstant(zero, dims), "initial");
  }
  ir::Value* state = c.Value(input);
  if (cell.directions == 2 && !cell.batch_first) {
    state = c.Op("transpose", {{"x", state}, {"perm", ir::Ints({1, 0, 2})}});
  }
  return c.Reshape(state, dims);
}

// What is known of the outputs of an operator over `directions` of the cell: the sequence where it is
// wanted, and the final states.
void SetOpenDims(NodeContext& c, const Cell& cell, int64_t directions,
                 const std::vector<ir::Value*>& outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    ir::Shape dims = {cell.batch, directions * cell.hidden};
    if (i == 0 && !c.Wants(0)) continue;
    if (i == 0) dims.insert(dims.begin(), cell.length);
    c.WithDims(outputs[i], std::move(dims));
  }
}

// [batch, directions * hidden] as [directions, batch, hidden], or batch first.
Status SetState(NodeContext& c, const Cell& cell, size_t output, ir::Value* state) {
  if (!c.Wants(output)) return {};
  const ir::Shape split = {cell.batch, cell.directions, cell.hidden};
  if (cell.batch_first) return c.SetView(output, state, split);
  if (cell.directions == 1) return c.SetView(output, state, {1, cell.batch, cell.hidden});
  return c.Set(output,
               c.Op("transpose", {{"x", c.Reshape(state, split)}, {"perm", ir::Ints({1, 0, 2})}}));
}

// [length, batch, directions * hidden] as [length, directions, batch, hidden], or [batch, length,
// directions, hidden].
Status SetSequence(NodeContext& c, const Cell& cell, ir::Value* sequence) {
  if (!c.Wants(0)) return {};
  if (cell.directions == 1 && !cell.batch_first) {
    return c.SetView(0, sequence, {cell.length, 1, cell.batch, cell.hidden});
  }
  ir::Value* split = c.Reshape(sequence, {cell.length, cell.batch, cell.directions, cell.hidden});
  const auto perm =
      cell.batch_first ? std::vector<int64_t>{1, 0, 2, 3} : std::vector<int64_t>{0, 2, 1, 3};
  return c.Set(0, c.Op("transpose", {{"x", split}, {"perm", ir::Ints(perm)}}));
}

ir::Value* Sequence(NodeContext& c, const Cell& cell) {
  ir::Value* x = c.Value(0);
  return cell.batch_first ? c.Op("transpose", {{"x", x}, {"perm", ir::Ints({1, 0, 2})}}) : x;
}

// The activations of the node, under MIL's names; `fallback` when it names none.
Result<std::vector<std::string>> Activations(const NodeContext& c, int64_t directions,
                                             std::vector<std::string> fallback) {
  const auto* given = c.node().Find("activations");
  if (given == nullptr || given->strings.empty()) return fallback;
  if (c.HasAttribute("activation_alpha") || c.HasAttribute("activation_beta")) {
    return Unsupported("activations with parameters").Advise("use Sigmoid, Tanh or Relu");
  }
  const size_t count = fallback.size();
  if (given->strings.size() != count * static_cast<size_t>(directions))
    return InvalidInput("the number of activations is wrong");
  std::vector<std::string> out;
  for (size_t i = 0; i < given->strings.size(); ++i) {
    const std::string name = Lower(given->strings[i]);
    if (name != "sigmoid" && name != "tanh" && name != "relu") {
      return Unsupported("the activation {}", given->strings[i])
          .Advise("use Sigmoid, Tanh or Relu");
    }
    if (i < count) out.push_back(name);
    if (i >= count && name != out[i - count])
      return Unsupported("directions with different activations");
  }
  return out;
}

// MIL returns the outputs of a reversed direction in the order of computation, ONNX in that of
// its input.
ir::Value* InOrderOfInput(NodeContext& c, const Cell& cell, int64_t direction,
                          ir::Value* sequence) {
  if (!c.Wants(0) || !IsReversed(cell, direction)) return sequence;
  return c.Op("reverse", {{"x", sequence}, {"axes", ir::Ints({0})}});
}

Status EmitLstm(NodeContext& c) {
  ANEMONE_ASSIGN(const Cell cell, ReadCell(c, 4));
  if (c.Int("input_forget", 0) != 0) return Unsupported("input_forget").Advise("export without it");
  ANEMONE_ASSIGN(const auto activations,
                 Activations(c, cell.directions, {"sigmoid", "tanh", "tanh"}));
  if (c.Has(7) && c.Const(7) == nullptr) return Unsupported("peepholes computed at run time");
  if (c.Has(7) && c.Dims(7) != ir::Shape{cell.directions, 3 * cell.hidden})
    return InvalidInput("the shape of P does not fit");
  ir::Value* x = Sequence(c, cell);
  ir::Value* h = State(c, cell, 5);
  ir::Value* state = State(c, cell, 6);
  Args args = {{"x", x}, {"initial_h", h}, {"initial_c", state}};
  for (int64_t direction = 0; direction < cell.directions; ++direction) {
    const Weights weights = ReadWeights(c, cell, direction, {0, 2, 1, 3});
    const bool back = direction == 1;
    args.push_back({back ? "weight_ih_back" : "weight_ih", weights.input});
    args.push_back({back ? "weight_hh_back" : "weight_hh", weights.hidden});
    args.push_back({back ? "bias_back" : "bias", weights.bias});
    if (c.Has(7)) {
      args.push_back({back ? "peephole_back" : "peephole",
                      ir::Literal::Fp32s(Reorder(*c.Const(7), direction, {0, 2, 1}, cell.hidden),
                                         {3 * cell.hidden})});
    }
  }
  args.push_back({"direction", ir::Literal::String(cell.direction)});
  args.push_back({"output_sequence", ir::Literal::Bool(c.Wants(0))});
  args.push_back({"recurrent_activation", ir::Literal::String(activations[0])});
  args.push_back({"cell_activation", ir::Literal::String(activations[1])});
  args.push_back({"activation", ir::Literal::String(activations[2])});
  auto outputs = c.MultiOp("lstm", std::move(args));
  ANEMONE_TRY(c.status());
  SetOpenDims(c, cell, cell.directions, outputs);
  // With both directions, the outputs are in the order of x.
  if (cell.directions == 1) outputs[0] = InOrderOfInput(c, cell, 0, outputs[0]);
  ANEMONE_TRY(SetSequence(c, cell, outputs[0]));
  ANEMONE_TRY(SetState(c, cell, 1, outputs[1]));
  return SetState(c, cell, 2, outputs[2]);
}

// gru and rnn have one direction, so two of them run side by side.
using EmitDirection = Result<std::vector<ir::Value*>> (*)(
    NodeContext& c, const Cell& cell, int64_t direction, ir::Value* x, ir::Value* state,
    const std::vector<std::string>& activations);

Status EmitDirections(NodeContext& c, const Cell& cell, const std::vector<std::string>& activations,
                      EmitDirection emit) {
  ir::Value* x = Sequence(c, cell);
  ir::Value* state = State(c, cell, 5);
  std::vector<ir::Value*> states(1, state);
  if (cell.directions == 2) {
    states = c.MultiOp(
        "split",
        {{"x", state}, {"num_splits", ir::Literal::Int32(2)}, {"axis", ir::Literal::Int32(1)}});
  }
  ANEMONE_TRY(c.status());
  std::vector<ir::Value*> sequences, finals;
  for (int64_t direction = 0; direction < cell.directions; ++direction) {
    ANEMONE_ASSIGN(const auto outputs, emit(c, cell, direction, x,
                                            states[static_cast<size_t>(direction)], activations));
    ANEMONE_TRY(c.status());
    sequences.push_back(outputs[0]);
    finals.push_back(outputs[1]);
  }
  if (cell.directions == 2) {
    const auto join = [&](const std::vector<ir::Value*>& values, int32_t axis) {
      return c.Op("concat", {{"values", values}, {"axis", ir::Literal::Int32(axis)}});
    };
    if (c.Wants(0)) sequences[0] = join(sequences, 2);
    finals[0] = join(finals, 1);
  }
  ANEMONE_TRY(c.status());
  ANEMONE_TRY(SetSequence(c, cell, sequences[0]));
  return SetState(c, cell, 1, finals[0]);
}

std::vector<ir::Value*> OneDirection(NodeContext& c, const Cell& cell, int64_t direction,
                                     std::string_view type, Args args) {
  const bool reverse = IsReversed(cell, direction);
  args.push_back({"direction", ir::Literal::String(reverse ? "reverse" : "forward")});
  args.push_back({"output_sequence", ir::Literal::Bool(c.Wants(0))});
  auto outputs = c.MultiOp(type, std::move(args));
  SetOpenDims(c, cell, 1, outputs);
  if (!outputs.empty()) outputs[0] = InOrderOfInput(c, cell, direction, outputs[0]);
  return outputs;
}

// With linear_before_reset, ONNX multiplies the reset gate with R h + bias: MIL's reset_after,
// since iOS18. Without it, ONNX multiplies it with h, as MIL's gru does.
Result<std::vector<ir::Value*>> OneGru(NodeContext& c, const Cell& cell, int64_t direction,
                                       ir::Value* x, ir::Value* state,
                                       const std::vector<std::string>& activations) {
  const std::vector<int64_t> order = {1, 2, 0};
  const Weights weights = ReadWeights(c, cell, direction, order);
  Args args = {
      {"x", x}, {"initial_h", state}, {"weight_ih", weights.input}, {"weight_hh", weights.hidden}};
  if (c.Int("linear_before_reset", 0) != 0) {
    args.push_back({"reset_after", ir::Literal::Bool(true)});
    if (c.Has(3)) {
      args.push_back(
          {"bias", ir::Literal::Fp32s(Reorder(*c.Const(3), direction, order, cell.hidden, 3),
                                      {3 * cell.hidden})});
      args.push_back(
          {"input_bias", ir::Literal::Fp32s(Reorder(*c.Const(3), direction, order, cell.hidden),
                                            {3 * cell.hidden})});
    }
  } else {
    args.push_back({"bias", weights.bias});
  }
  args.push_back({"recurrent_activation", ir::Literal::String(activations[0])});
  args.push_back({"activation", ir::Literal::String(activations[1])});
  return OneDirection(c, cell, direction, "gru", std::move(args));
}

Status EmitGru(NodeContext& c) {
  ANEMONE_ASSIGN(const Cell cell, ReadCell(c, 3));
  ANEMONE_ASSIGN(const auto activations, Activations(c, cell.directions, {"sigmoid", "tanh"}));
  if (c.Int("linear_before_reset", 0) == 0 || c.target() >= ir::Opset::kIOS18) {
    return EmitDirections(c, cell, activations, OneGru);
  }
  if (NeedsLoop(cell)) {
    c.Note(
        "a GRU with linear_before_reset becomes a loop, which Core ML runs on the CPU: from iOS18 "
        "on it "
        "has an operator for it");
  }
  return EmitDirections(c, cell, activations, GruBySteps);
}

Result<std::vector<ir::Value*>> OneRnn(NodeContext& c, const Cell& cell, int64_t direction,
                                       ir::Value* x, ir::Value* state,
                                       const std::vector<std::string>& activations) {
  const Weights weights = ReadWeights(c, cell, direction, {0});
  return OneDirection(c, cell, direction, "rnn",
                      {{"x", x},
                       {"initial_h", state},
                       {"weight_ih", weights.input},
                       {"weight_hh", weights.hidden},
                       {"bias", weights.bias},
                       {"activation", ir::Literal::String(activations[0])}});
}

Status EmitRnn(NodeContext& c) {
  ANEMONE_ASSIGN(const Cell cell, ReadCell(c, 1));
  ANEMONE_ASSIGN(const auto activations, Activations(c, cell.directions, {"tanh"}));
  return EmitDirections(c, cell, activations, OneRnn);
}

// W or R as ONNX Runtime keeps it, [directions, columns, gates * hidden], with scales and zero points
// of [directions] or [directions, gates * hidden]; as LSTM takes it.
Result<std::string> TurnedWeight(NodeContext& c, Expansion& e, size_t input, size_t scale) {
  if (!c.Known(input) || !c.Known(scale) || (c.Has(scale + 1) && !c.Known(scale + 1)))
    return Unsupported("weights computed at run time").Advise("make the weights initializers");
  const onnx::Constant& data = *c.Const(input);
  if (data.dims.size() != 3 || (data.dtype != DType::kInt8 && data.dtype != DType::kUInt8))
    return InvalidInput("weights of {} {}", DTypeName(data.dtype), ir::ShapeToString(data.dims));
  const bool by_column = c.Const(scale)->count() == data.dims[0] * data.dims[2];
  Quantized weight{.data = data,
                   .blocks = {data.dims[0], 1, by_column ? data.dims[2] : 1},
                   .scale = c.Const(scale)->AsFloats()};
  if (c.Has(scale + 1)) weight.zero = c.Const(scale + 1)->AsFloats();
  const auto scales = ir::ElementCount(weight.blocks);
  if (std::ssize(weight.scale) != scales ||
      (!weight.zero.empty() && std::ssize(weight.zero) != scales))
    return InvalidInput("scales and zero points do not fit the weights");
  Operand operand;
  operand.quantized = std::make_shared<const Quantized>(weight.Transposed({0, 2, 1}));
  operand.dims = operand.quantized->dims();
  return e.Bind(operand);
}

// The inputs of LSTM, then scale and zero point of W and of R. The input is quantized as a whole, as
// ONNX Runtime does it.
Status EmitDynamicQuantizeLstm(NodeContext& c) {
  constexpr size_t kScaleW = 8, kScaleR = 10;
  ANEMONE_TRY(c.NeedInputs(3));
  if (!c.Has(kScaleW) || !c.Has(kScaleR)) return InvalidInput("a scale is missing");
  Expansion e(c);
  ANEMONE_ASSIGN(const auto w, TurnedWeight(c, e, 1, kScaleW));
  ANEMONE_ASSIGN(const auto r, TurnedWeight(c, e, 2, kScaleR));
  const auto x = e.Ops("DynamicQuantizeLinear", {e.In(0)}, 3);
  const auto y = e.Ops("LSTM",
                       {e.Op("DequantizeLinear", {x[0], x[1], x[2]}), w, r, e.In(3), e.In(4),
                        e.In(5), e.In(6), e.In(7)},
                       3, c.node().attributes);
  c.Note(
      "the hidden states of quantized LSTMs stay float, where ONNX Runtime quantizes them in "
      "each step");
  return e.Finish(y);
}

constexpr Converter kConverters[] = {
    {.op = "LSTM", .emit = EmitLstm},
    {.op = "DynamicQuantizeLSTM", .emit = EmitDynamicQuantizeLstm, .domain = "com.microsoft"},
    {.op = "GRU", .emit = EmitGru},
    {.op = "RNN", .emit = EmitRnn},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::recurrent
