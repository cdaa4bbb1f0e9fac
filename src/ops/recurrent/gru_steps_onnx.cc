#include "ops/recurrent/gru_steps_onnx.h"

#include <algorithm>
#include <numeric>

namespace anemone::ops::recurrent {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

// So many steps are written out.
constexpr int64_t kMostUnrolled = 32;

ir::Value* SliceRows(NodeContext& c, ir::Value* x, int64_t axis, int64_t begin, int64_t size) {
  if (x == nullptr) return nullptr;
  const size_t rank = x->type.shape().size();
  const auto d = static_cast<size_t>(axis);
  std::vector<int64_t> from(rank, 0), to(rank, 0);
  std::vector<bool> whole(rank, true);
  from[d] = begin;
  to[d] = begin + size;
  whole[d] = false;
  ir::Shape dims = c.DimsOf(x);
  dims[d] = size;
  ir::Value* y = c.Op("slice_by_index", {{"x", x},
                                         {"begin", ir::Ints(from)},
                                         {"end", ir::Ints(to)},
                                         {"begin_mask", ir::Literal::Bools(whole)},
                                         {"end_mask", ir::Literal::Bools(whole)}});
  return c.WithDims(y, std::move(dims));
}

// z = f(Wz x + Rz h + b), r likewise, o = g(Wo x + bo + r * (Ro h + ro)) or g(Wo x + bo + Ro (r *
// h) + ro), h = o + z * (h - o). The products with x are one for all steps.
class Gru {
 public:
  Gru(NodeContext& c, const Cell& cell, int64_t direction, ir::Value* x,
      const std::vector<std::string>& activations)
      : hidden_(cell.hidden),
        before_reset_(c.Int("linear_before_reset", 0) != 0),
        activations_(activations) {
    const std::vector<int64_t> order = {0, 1, 2};  // z r h, ONNX's order
    const auto zeros = std::vector<float>(static_cast<size_t>(3 * hidden_), 0.0f);
    auto input_bias = zeros;
    hidden_bias_ = zeros;
    if (c.Has(3)) {
      input_bias = Reorder(*c.Const(3), direction, order, hidden_);
      hidden_bias_ = Reorder(*c.Const(3), direction, order, hidden_, 3);
    }
    const auto matrix = [&](size_t input, int64_t from_gate, int64_t gates, std::string_view name) {
      std::vector<int64_t> rows(static_cast<size_t>(gates));
      std::iota(rows.begin(), rows.end(), from_gate);
      return c.MakeConst(Constant::Floats(Reorder(*c.Const(input), direction, rows, hidden_),
                                          {gates * hidden_, c.Dims(input)[2]}),
                         name);
    };
    inputs_ = c.Op("linear", {{"x", x},
                              {"weight", matrix(1, 0, 3, "W")},
                              {"bias", ir::Literal::Fp32s(input_bias, {3 * hidden_})}});
    c.WithDims(inputs_, {cell.length, cell.batch, 3 * hidden_});
    gate_weight_ = matrix(2, 0, 2, "R_gates");
    new_weight_ = matrix(2, 2, 1, "R_new");
  }

  // [length, batch, 3 * hidden]
  ir::Value* inputs() const { return inputs_; }

  // The state after `state`, where `now` is inputs() at the step.
  ir::Value* Step(NodeContext& c, ir::Value* now, ir::Value* state) const {
    ir::Value* recurrent =
        c.Op("linear", {{"x", state}, {"weight", gate_weight_}, {"bias", Bias(0, 2)}});
    ir::Value* gates =
        c.Op(activations_[0],
             {{"x", c.Binary("add", {SliceRows(c, now, 1, 0, 2 * hidden_), recurrent})}});
    ir::Value* z = SliceRows(c, gates, 1, 0, hidden_);
    ir::Value* r = SliceRows(c, gates, 1, hidden_, hidden_);
    ir::Value* from = before_reset_ ? state : c.Binary("mul", {r, state});
    ir::Value* fresh = c.Op("linear", {{"x", from}, {"weight", new_weight_}, {"bias", Bias(2, 1)}});
    if (before_reset_) fresh = c.Binary("mul", {r, fresh});
    ir::Value* o =
        c.Op(activations_[1],
             {{"x", c.Binary("add", {SliceRows(c, now, 1, 2 * hidden_, hidden_), fresh})}});
    return c.Binary("add", {o, c.Binary("mul", {z, c.Binary("sub", {state, o})})});
  }

 private:
  ir::Literal Bias(int64_t from_gate, int64_t gates) const {
    const auto begin = hidden_bias_.begin() + from_gate * hidden_;
    return ir::Literal::Fp32s({begin, begin + gates * hidden_}, {gates * hidden_});
  }

  int64_t hidden_;
  bool before_reset_;
  const std::vector<std::string>& activations_;
  std::vector<float> hidden_bias_;
  ir::Value *inputs_ = nullptr, *gate_weight_ = nullptr, *new_weight_ = nullptr;
};

std::vector<ir::Value*> Unrolled(NodeContext& c, const Cell& cell, int64_t direction,
                                 const Gru& gru, ir::Value* state) {
  std::vector<ir::Value*> steps(static_cast<size_t>(cell.length));
  for (int64_t i = 0; i < cell.length; ++i) {
    const int64_t t = IsReversed(cell, direction) ? cell.length - 1 - i : i;
    ir::Value* now = c.Reshape(SliceRows(c, gru.inputs(), 0, t, 1), {cell.batch, 3 * cell.hidden});
    state = gru.Step(c, now, state);
    steps[static_cast<size_t>(t)] = state;
  }
  ir::Value* sequence = state;
  if (c.Wants(0)) sequence = c.Op("stack", {{"values", steps}, {"axis", ir::Literal::Int32(0)}});
  return {sequence, state};
}

// The variables of the loop: the number of the step, the state, and the list of states where the
// sequence is wanted.
Result<std::vector<ir::Value*>> Looped(NodeContext& c, const Cell& cell, int64_t direction,
                                       const Gru& gru, ir::Value* state) {
  ir::Value* length = c.Reshape(c.SizeValue(cell.length), {});
  std::vector<ir::Value*> initial = {c.MakeConst(ir::Literal::Int32(0), "first"), state};
  const bool gathers = c.Wants(0);
  if (gathers) {
    std::vector<ir::Value*> element;
    for (const int64_t size : {cell.batch, cell.hidden}) {
      element.push_back(c.MakeConst(Symbols::IsSymbol(size)
                                        ? ir::Literal::String(c.symbols().Text(size))
                                        : ir::Literal::Int32(static_cast<int32_t>(size)),
                                    "size"));
    }
    initial.push_back(c.Op("make_list", {{"init_length", length},
                                         {"dynamic_length", ir::Literal::Bool(false)},
                                         {"elem_shape", std::move(element)},
                                         {"dtype", ir::Literal::String("fp32")}}));
  }
  ir::Value* last = c.Binary("sub", {length, c.MakeConst(ir::Literal::Int32(1), "one")});
  ANEMONE_TRY(c.status());

  const ir::Shape state_dims = {cell.batch, cell.hidden};
  // What a body is written with, and its inputs.
  const auto body = [&](ir::Block* block, const auto& fill) -> Status {
    ir::Builder builder(c.builder().function(), block);
    Node node;
    node.op = c.node().op;
    node.outputs = {"step"};
    NodeContext inner(node, c.opset(), {}, builder, c.builder(), c.runtime(), {});
    std::vector<ir::Value*> inputs;
    for (const ir::Value* each : initial)
      inputs.push_back(block->AddInput(builder.UniqueName("carried"), each->type));
    c.WithDims(inputs[1], state_dims);
    block->outputs() = fill(inner, inputs);
    return inner.status();
  };
  using Values = std::vector<ir::Value*>;
  auto operation = c.builder().AddWithBlocks(
      "while_loop", {{"loop_vars", initial}}, c.node().outputs[0],
      [&](ir::Operation& loop) -> Status {
        ANEMONE_TRY(body(loop.AddBlock(), [&](NodeContext& inner, const Values& in) -> Values {
          return {inner.Binary("less", {in[0], length})};
        }));
        return body(loop.AddBlock(), [&](NodeContext& inner, const Values& in) -> Values {
          ir::Value* t = in[0];
          if (IsReversed(cell, direction)) t = inner.Binary("sub", {last, t});
          ir::Value* now = inner.Op(
              "gather", {{"x", gru.inputs()}, {"indices", t}, {"axis", ir::Literal::Int32(0)}});
          inner.WithDims(now, {cell.batch, 3 * cell.hidden});
          ir::Value* next = gru.Step(inner, now, in[1]);
          ir::Value* one = inner.MakeConst(ir::Literal::Int32(1), "one");
          Values out = {inner.Binary("add", {in[0], one}), next};
          if (gathers) {
            out.push_back(inner.Op("list_write", {{"ls", in[2]}, {"index", t}, {"value", next}}));
          }
          return out;
        });
      });
  if (!operation.ok()) return std::move(operation).error();
  ir::Value* end = c.WithDims((*operation)->output(1), state_dims);
  if (!gathers) return Values{end, end};
  ir::Value* every =
      c.Op("range_1d",
           {{"end", length}, {"start", ir::Literal::Int32(0)}, {"step", ir::Literal::Int32(1)}});
  every = c.WithDims(every, {cell.length});
  ir::Value* sequence = c.Op("list_gather", {{"ls", (*operation)->output(2)}, {"indices", every}});
  return Values{c.WithDims(sequence, {cell.length, cell.batch, cell.hidden}), end};
}

}  // namespace

bool NeedsLoop(const Cell& cell) {
  return Symbols::IsSymbol(cell.length) || cell.length > kMostUnrolled;
}

Result<std::vector<ir::Value*>> GruBySteps(NodeContext& c, const Cell& cell, int64_t direction,
                                           ir::Value* x, ir::Value* state,
                                           const std::vector<std::string>& activations) {
  const Gru gru(c, cell, direction, x, activations);
  ANEMONE_TRY(c.status());
  if (NeedsLoop(cell)) return Looped(c, cell, direction, gru, state);
  return Unrolled(c, cell, direction, gru, state);
}

}  // namespace anemone::ops::recurrent
