// gru, lstm and rnn: reference kernels, one sequence at a time, in double.
#include <algorithm>
#include <cmath>

#include "ops/ops.h"
#include "ops/recurrent/activations.h"

namespace anemone::ops::recurrent {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

using Vector = std::vector<double>;

// An optional constant; null when absent.
Result<const float*> ReadWeight(KernelContext& context, std::string_view param) {
  if (!context.Has(param)) return static_cast<const float*>(nullptr);
  ANEMONE_ASSIGN(const ConstTensor tensor, context.Input(param));
  return tensor.As<float>();
}

Result<Activation> ReadActivation(KernelContext& context, std::string_view param) {
  ANEMONE_ASSIGN(const std::string name, context.args().String(param));
  const std::optional<Activation> activation = ActivationFromName(name);
  if (!activation) return InvalidInput("{} is \"{}\"", param, name);
  return *activation;
}

// weight * values, plus bias, added to `sums`; weight is row-major with as many rows as `sums` has
// values.
void AddProduct(const float* weight, const Vector& values, const float* bias, double* sums,
                size_t rows) {
  for (size_t r = 0; r < rows; ++r) {
    double sum = bias != nullptr ? bias[r] : 0;
    for (double value : values) sum += *weight++ * value;
    sums[r] += sum;
  }
}

// The weights of one direction.
struct Weights {
  size_t features = 0, hidden = 0;
  const float* input = nullptr;      // [gates * hidden, features]
  const float* recurrent = nullptr;  // [gates * hidden, hidden]
  const float* bias = nullptr;
  const float* input_bias = nullptr;  // gru
  const float* peephole = nullptr;    // lstm

  // input * x + recurrent * h + biases for `gates` gates.
  Vector Gates(size_t gates, const Vector& x, const Vector& h) const {
    Vector sums(gates * hidden, 0.0);
    AddProduct(input, x, input_bias, sums.data(), sums.size());
    AddProduct(recurrent, h, bias, sums.data(), sums.size());
    return sums;
  }
};

// The hidden and (lstm) cell state of one sequence.
struct State {
  Vector h, c;
};

// Runs `step(weights, x, state)` over all sequences in one direction. The direction's states and
// outputs are at column `offset` of `width`.
struct Run {
  ConstTensor x;
  bool reverse = false;        // from the last step to the first
  bool in_order_of_x = false;  // outputs are in the order of the inputs, not of the computation
  bool output_sequence = false;
  size_t offset = 0, width = 0;
  const float* initial_h = nullptr;
  const float* initial_c = nullptr;  // null except for lstm
  float* outputs = nullptr;
  float* final_h = nullptr;
  float* final_c = nullptr;

  template <typename Step>
  void Execute(const Weights& weights, Step&& step) const {
    const auto steps = static_cast<size_t>(x.shape[0]);
    const auto batch = static_cast<size_t>(x.shape[1]);
    const size_t hidden = weights.hidden;
    const auto store = [&](const Vector& values, float* rows, size_t row) {
      std::copy(values.begin(), values.end(), rows + row * width + offset);
    };
    for (size_t n = 0; n < batch; ++n) {
      const size_t start = n * width + offset;
      State state{Vector(initial_h + start, initial_h + start + hidden), {}};
      if (initial_c != nullptr) state.c.assign(initial_c + start, initial_c + start + hidden);
      for (size_t k = 0; k < steps; ++k) {
        const size_t t = reverse ? steps - 1 - k : k;
        const float* row = x.As<float>() + (t * batch + n) * weights.features;
        step(weights, Vector(row, row + weights.features), &state);
        if (output_sequence) store(state.h, outputs, (in_order_of_x ? t : k) * batch + n);
      }
      if (!output_sequence) store(state.h, outputs, n);
      store(state.h, final_h, n);
      if (final_c != nullptr) store(state.c, final_c, n);
    }
  }
};

Result<Run> PrepareRun(KernelContext& context) {
  Run run;
  ANEMONE_ASSIGN(run.x, context.Input("x"));
  ANEMONE_ASSIGN(const std::string direction, context.args().String("direction"));
  run.reverse = direction == "reverse";
  ANEMONE_ASSIGN(run.output_sequence, context.args().Bool("output_sequence"));
  ANEMONE_ASSIGN(run.initial_h, ReadWeight(context, "initial_h"));
  ANEMONE_ASSIGN(const MutableTensor outputs, context.Output(0));
  ANEMONE_ASSIGN(const MutableTensor final_h, context.Output(1));
  run.width = static_cast<size_t>(final_h.shape[1]);
  run.outputs = outputs.As<float>();
  run.final_h = final_h.As<float>();
  return run;
}

Result<Weights> ReadWeights(KernelContext& context, std::string_view suffix) {
  const auto name = [&](std::string_view base) { return std::string(base) + std::string(suffix); };
  Weights weights;
  ANEMONE_ASSIGN(const ConstTensor recurrent, context.Input(name("weight_hh")));
  ANEMONE_ASSIGN(const ConstTensor input, context.Input(name("weight_ih")));
  weights.hidden = static_cast<size_t>(recurrent.shape[1]);
  weights.features = static_cast<size_t>(input.shape[1]);
  weights.recurrent = recurrent.As<float>();
  weights.input = input.As<float>();
  ANEMONE_ASSIGN(weights.bias, ReadWeight(context, name("bias")));
  ANEMONE_ASSIGN(weights.peephole, ReadWeight(context, name("peephole")));
  return weights;
}

Status Rnn(KernelContext& context) {
  ANEMONE_ASSIGN(const Run run, PrepareRun(context));
  ANEMONE_ASSIGN(const Weights weights, ReadWeights(context, ""));
  ANEMONE_ASSIGN(const Activation activation, ReadActivation(context, "activation"));
  run.Execute(weights, [&](const Weights& w, const Vector& x, State* state) {
    state->h = w.Gates(1, x, state->h);
    for (double& value : state->h) value = activation(value);
  });
  return {};
}

Status Gru(KernelContext& context) {
  ANEMONE_ASSIGN(const Run run, PrepareRun(context));
  ANEMONE_ASSIGN(Weights weights, ReadWeights(context, ""));
  ANEMONE_ASSIGN(weights.input_bias, ReadWeight(context, "input_bias"));
  ANEMONE_ASSIGN(const Activation recurrent, ReadActivation(context, "recurrent_activation"));
  ANEMONE_ASSIGN(const Activation activation, ReadActivation(context, "activation"));
  ANEMONE_ASSIGN(const bool reset_after, context.args().Bool("reset_after"));
  run.Execute(weights, [&](const Weights& w, const Vector& x, State* state) {
    const size_t hidden = w.hidden;
    // Gates r, o, z; the sums of o are recomputed below.
    Vector gates = w.Gates(3, x, state->h);
    Vector reset(hidden), update(hidden), candidate(hidden, 0.0), from_state(hidden, 0.0);
    for (size_t i = 0; i < hidden; ++i) {
      reset[i] = recurrent(gates[i]);
      update[i] = recurrent(gates[2 * hidden + i]);
    }
    AddProduct(w.input + hidden * w.features, x, w.input_bias ? w.input_bias + hidden : nullptr,
               candidate.data(), hidden);
    Vector h = state->h;
    if (!reset_after) {
      for (size_t i = 0; i < hidden; ++i) h[i] *= reset[i];
    }
    AddProduct(w.recurrent + hidden * hidden, h, w.bias ? w.bias + hidden : nullptr,
               from_state.data(), hidden);
    for (size_t i = 0; i < hidden; ++i) {
      const double output =
          activation(candidate[i] + (reset_after ? reset[i] : 1.0) * from_state[i]);
      state->h[i] = (1 - update[i]) * output + update[i] * state->h[i];
    }
  });
  return {};
}

Status Lstm(KernelContext& context) {
  ANEMONE_ASSIGN(Run run, PrepareRun(context));
  ANEMONE_ASSIGN(const Activation recurrent, ReadActivation(context, "recurrent_activation"));
  ANEMONE_ASSIGN(const Activation cell, ReadActivation(context, "cell_activation"));
  ANEMONE_ASSIGN(const Activation activation, ReadActivation(context, "activation"));
  ANEMONE_ASSIGN(run.initial_c, ReadWeight(context, "initial_c"));
  ANEMONE_ASSIGN(const MutableTensor final_c, context.Output(2));
  run.final_c = final_c.As<float>();
  double clip = HUGE_VAL;
  if (context.args().Has("clip")) {
    ANEMONE_ASSIGN(clip, context.args().Float("clip"));
  }

  const auto step = [&](const Weights& w, const Vector& x, State* state) {
    const size_t hidden = w.hidden;
    const Vector gates = w.Gates(4, x, state->h);  // i, f, o, z
    for (size_t j = 0; j < hidden; ++j) {
      const auto gate = [&](size_t g) {
        const double peek = w.peephole != nullptr ? w.peephole[g * hidden + j] * state->c[j] : 0.0;
        return recurrent(gates[g * hidden + j] + peek);
      };
      const double input = gate(0), forget = gate(1);
      state->c[j] = forget * state->c[j] + input * cell(gates[3 * hidden + j]);
      state->c[j] = std::min(std::max(state->c[j], -clip), clip);
      state->h[j] = gate(2) * activation(state->c[j]);  // sees the new cell
    }
  };
  ANEMONE_ASSIGN(const Weights weights, ReadWeights(context, ""));
  run.Execute(weights, step);
  if (run.width == 2 * weights.hidden) {
    ANEMONE_ASSIGN(const Weights back, ReadWeights(context, "_back"));
    run.reverse = run.in_order_of_x = true;
    run.offset = weights.hidden;
    run.Execute(back, step);
  }
  return {};
}

constexpr exec::KernelEntry kKernels[] = {{"gru", Gru}, {"lstm", Lstm}, {"rnn", Rnn}};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::recurrent
