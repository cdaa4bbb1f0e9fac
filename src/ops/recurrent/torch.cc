// PyTorch: LSTM, GRU and RNN of several layers, and their single cells.
#include <algorithm>
#include <array>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::recurrent {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

struct Kind {
  const char* op;
  std::vector<int64_t> order;  // where ONNX's gates are among PyTorch's
  bool cell = false;           // has a second state
  const char* activation = "";
};

Kind Lstm() { return {"LSTM", {0, 3, 1, 2}, true, ""}; }
Kind Gru() { return {"GRU", {1, 0, 2}, false, ""}; }
Kind Rnn(const char* activation) { return {"RNN", {0}, false, activation}; }

// [gates * hidden, ...] with the gates in ONNX's order, and a dimension for the direction.
std::string Turned(Context& c, const std::string& weight, const Kind& kind, int64_t hidden) {
  Values parts;
  for (const int64_t gate : kind.order)
    parts.push_back(c.Slice(weight, 0, gate * hidden, (gate + 1) * hidden));
  const std::string joined = parts.size() == 1 ? weight : c.Op("Concat", parts, {Int("axis", 0)});
  return c.Unsqueeze(joined, {0});
}

std::string JoinedAt(Context& c, const Values& parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : c.Op("Concat", parts, {Int("axis", axis)});
}

struct Layers {
  Kind kind;
  Values parameters;
  bool biases = true, both = false, batch_first = false, unbatched = false;
  int64_t count = 1, hidden = 0;

  int64_t directions() const { return both ? 2 : 1; }
  size_t each() const { return biases ? 4 : 2; }
};

// One layer: [T, B, in] -> [T, B, directions * hidden], and its final states.
Values OneLayer(Context& c, const Layers& layers, int64_t layer, const std::string& x,
                const Values& states) {
  Values w, r, b;
  for (int64_t direction = 0; direction < layers.directions(); ++direction) {
    const size_t first =
        static_cast<size_t>(layer * layers.directions() + direction) * layers.each();
    w.push_back(Turned(c, layers.parameters[first], layers.kind, layers.hidden));
    r.push_back(Turned(c, layers.parameters[first + 1], layers.kind, layers.hidden));
    if (!layers.biases) continue;
    const std::string input = Turned(c, layers.parameters[first + 2], layers.kind, layers.hidden);
    const std::string hidden = Turned(c, layers.parameters[first + 3], layers.kind, layers.hidden);
    b.push_back(c.Op("Concat", {input, hidden}, {Int("axis", 1)}));
  }
  Attributes attributes = {Int("hidden_size", layers.hidden),
                           Text("direction", layers.both ? "bidirectional" : "forward")};
  if (std::string_view(layers.kind.op) == "GRU")
    attributes.push_back(Int("linear_before_reset", 1));
  if (layers.kind.activation[0] != '\0') {
    onnx::Attribute activations;
    activations.name = "activations";
    activations.kind = onnx::Attribute::Kind::kStrings;
    activations.strings.assign(static_cast<size_t>(layers.directions()), layers.kind.activation);
    attributes.push_back(std::move(activations));
  }
  Values inputs = {x, JoinedAt(c, w, 0), JoinedAt(c, r, 0), b.empty() ? "" : JoinedAt(c, b, 0), ""};
  const int64_t begin = layer * layers.directions(), end = begin + layers.directions();
  for (const std::string& state : states) inputs.push_back(c.Slice(state, 0, begin, end));
  Values outputs = c.Ops(layers.kind.op, inputs, layers.kind.cell ? 3 : 2, std::move(attributes));
  // [T, directions, B, hidden]
  std::string y = outputs[0];
  if (layers.both) {
    y = c.Reshape(c.Transpose(y, {0, 2, 1, 3}), {0, 0, -1});
  } else {
    y = c.Squeeze(y, {1});
  }
  outputs[0] = y;
  return outputs;
}

Result<Layers> ReadLayers(Context& c, Kind kind) {
  if (c.Has("batch_sizes")) return Unsupported("packed sequences").Advise("pass padded sequences");
  Layers layers;
  layers.kind = std::move(kind);
  layers.parameters = c.List("params");
  layers.biases = c.Flag("has_biases", true);
  layers.both = c.Flag("bidirectional", false);
  layers.batch_first = c.Flag("batch_first", false);
  layers.unbatched = c.Rank("input") == 2;
  layers.count = c.Int("num_layers", 1);
  if (c.Flag("train", false) && c.Number("dropout", 0) != 0)
    return Unsupported("dropout in training mode").Advise("call model.eval() before the export");
  const auto expected = static_cast<size_t>(layers.count * layers.directions()) * layers.each();
  if (layers.count < 1 || layers.parameters.size() != expected) {
    return Unsupported("{} weights for {} layers: projections (proj_size) are not converted",
                       layers.parameters.size(), layers.count)
        .Advise("write the projection as a linear layer");
  }
  const Argument* parameters = c.Find("params");
  const TensorMeta& recurrent = c.MetaOf(parameters->names[1]);
  if (recurrent.rank() != 2 || !recurrent.sizes[1].value)
    return InvalidInput("its weights have rank {}", recurrent.rank());
  layers.hidden = *recurrent.sizes[1].value;
  return layers;
}

Status EmitLayers(Context& c, Kind kind) {
  ANEMONE_ASSIGN(const Layers layers, ReadLayers(c, std::move(kind)));
  std::string x = c.Need("input");
  Values states = layers.kind.cell ? c.List("hx") : Values{c.Need("hx")};
  if (states.size() != (layers.kind.cell ? 2U : 1U))
    return InvalidInput("it has {} states", states.size());
  if (layers.unbatched) {
    x = c.Unsqueeze(x, {1});
    for (std::string& state : states) state = c.Unsqueeze(state, {1});
  } else if (layers.batch_first) {
    x = c.Transpose(x, {1, 0, 2});
  }
  std::vector<Values> finals(states.size());
  for (int64_t layer = 0; layer < layers.count; ++layer) {
    const Values outputs = OneLayer(c, layers, layer, x, states);
    x = outputs[0];
    for (size_t i = 0; i < finals.size(); ++i) finals[i].push_back(outputs[i + 1]);
  }
  if (layers.unbatched) {
    x = c.Squeeze(x, {1});
  } else if (layers.batch_first) {
    x = c.Transpose(x, {1, 0, 2});
  }
  ANEMONE_TRY(c.Set(0, x));
  for (size_t i = 0; i < finals.size(); ++i) {
    std::string state = JoinedAt(c, finals[i], 0);
    if (layers.unbatched) state = c.Squeeze(state, {1});
    ANEMONE_TRY(c.Set(i + 1, state));
  }
  return {};
}

Status EmitLstm(Context& c) { return EmitLayers(c, Lstm()); }
Status EmitGru(Context& c) { return EmitLayers(c, Gru()); }
Status EmitRnnTanh(Context& c) { return EmitLayers(c, Rnn("Tanh")); }
Status EmitRnnRelu(Context& c) { return EmitLayers(c, Rnn("Relu")); }

// ---- single cells: x w_ih^T + b_ih and h w_hh^T + b_hh

std::string Product(Context& c, const std::string& x, std::string_view weight,
                    std::string_view bias) {
  return c.OpOf("anemone", "Linear", {x, c.Need(weight), c.In(bias)});
}

Status EmitLstmCell(Context& c) {
  const Values states = c.List("hx");
  if (states.size() != 2) return InvalidInput("it has {} states", states.size());
  const int64_t axis = c.Rank("input") - 1;
  const std::string sum = c.Op(
      "Add", {Product(c, c.Need("input"), "w_ih", "b_ih"), Product(c, states[0], "w_hh", "b_hh")});
  const Values gates = c.Ops("Split", {sum}, 4, {Int("axis", axis), Int("num_outputs", 4)});
  const std::string kept = c.Op("Mul", {c.Op("Sigmoid", {gates[1]}), states[1]});
  const std::string added = c.Op("Mul", {c.Op("Sigmoid", {gates[0]}), c.Op("Tanh", {gates[2]})});
  const std::string cell = c.Op("Add", {kept, added});
  ANEMONE_TRY(c.Set(0, c.Op("Mul", {c.Op("Sigmoid", {gates[3]}), c.Op("Tanh", {cell})})));
  return c.Set(1, cell);
}

Status EmitGruCell(Context& c) {
  const int64_t axis = c.Rank("input") - 1;
  const Attributes thirds = {Int("axis", axis), Int("num_outputs", 3)};
  const std::string state = c.Need("hx");
  const Values x = c.Ops("Split", {Product(c, c.Need("input"), "w_ih", "b_ih")}, 3, thirds);
  const Values h = c.Ops("Split", {Product(c, state, "w_hh", "b_hh")}, 3, thirds);
  const std::string reset = c.Op("Sigmoid", {c.Op("Add", {x[0], h[0]})});
  const std::string update = c.Op("Sigmoid", {c.Op("Add", {x[1], h[1]})});
  const std::string fresh = c.Op("Tanh", {c.Op("Add", {x[2], c.Op("Mul", {reset, h[2]})})});
  const std::string step = c.Op("Mul", {update, c.Op("Sub", {state, fresh})});
  return c.Set(0, c.Op("Add", {fresh, step}));
}

Status Cell(Context& c, const std::string& activation) {
  const std::string sum = c.Op("Add", {Product(c, c.Need("input"), "w_ih", "b_ih"),
                                       Product(c, c.Need("hx"), "w_hh", "b_hh")});
  return c.Set(0, c.Op(activation, {sum}));
}

Status EmitRnnTanhCell(Context& c) { return Cell(c, "Tanh"); }
Status EmitRnnReluCell(Context& c) { return Cell(c, "Relu"); }

constexpr Converter kConverters[] = {
    {.target = "aten.lstm.input", .emit = EmitLstm},
    {.target = "aten.gru.input", .emit = EmitGru},
    {.target = "aten.rnn_tanh.input", .emit = EmitRnnTanh},
    {.target = "aten.rnn_relu.input", .emit = EmitRnnRelu},
    {.target = "aten.lstm_cell.default", .emit = EmitLstmCell},
    {.target = "aten.gru_cell.default", .emit = EmitGruCell},
    {.target = "aten.rnn_tanh_cell.default", .emit = EmitRnnTanhCell},
    {.target = "aten.rnn_relu_cell.default", .emit = EmitRnnReluCell},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::recurrent
