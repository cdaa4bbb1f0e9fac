#include "cpu/kernels/recurrent.h"

#include <algorithm>
#include <span>

#include "base/thread_pool.h"

namespace anemone::cpu {
namespace {

// Rows of products with inputs that are made at once: enough for the tiles, and few enough for a cache.
constexpr int64_t kRowsAtOnce = 256;

int64_t GatesOf(RecurrentKind kind) {
  switch (kind) {
    case RecurrentKind::kRnn:
      return 1;
    case RecurrentKind::kGru:
    case RecurrentKind::kGruResetAfter:
      return 3;
    case RecurrentKind::kLstm:
      return 4;
  }
  return 0;
}

int64_t StepsAtOnce(int64_t batch) { return std::max<int64_t>(1, kRowsAtOnce / batch); }

int64_t Whole(int64_t floats) { return (floats + 15) / 16 * 16; }

// Columns are rows of the weight, as linear has them.
PackedMatrix Pack(const float* weight, int64_t k, int64_t n, const float* bias, ThreadPool& pool) {
  return PackedMatrix(weight, k, n, 1, k, bias, pool);
}

void Apply(const std::optional<Step>& function, float* x, int64_t n) {
  if (function) ApplyFunction(*function, x, static_cast<size_t>(n));
}

// The rows of `products` added to a product.
Step AddRows(const float* products, int64_t width) {
  Step add{.kind = StepKind::kAdd};
  add.operand = {.data = products, .row_stride = width, .rows_per_step = 1, .column_stride = 1};
  return add;
}

}  // namespace

// Where things lie in the scratch memory; rows are sequences of the batch.
struct RecurrentLayer::Memory {
  float* inputs;     // [steps at once, batch, gates * hidden]
  float* gates;      // [batch, gates * hidden]
  float* h;          // [batch, hidden]
  float* c;          // the same; gru: r * h
  float* candidate;  // the same; gru

  Memory(float* scratch, int64_t batch, int64_t width, int64_t hidden)
      : inputs(scratch),
        gates(inputs + Whole(StepsAtOnce(batch) * batch * width)),
        h(gates + Whole(batch * width)),
        c(h + Whole(batch * hidden)),
        candidate(c + Whole(batch * hidden)) {}
};

RecurrentLayer::RecurrentLayer(RecurrentKind kind, int64_t features, int64_t hidden,
                               const RecurrentWeights& weights, const RecurrentFunctions& functions,
                               float clip, ThreadPool& pool)
    : kind_(kind),
      features_(features),
      hidden_(hidden),
      gates_(GatesOf(kind)),
      functions_(functions),
      clip_(clip) {
  const auto size = static_cast<size_t>(width());
  // Only a reset gate between the two makes a difference which product a bias belongs to.
  const bool apart = kind == RecurrentKind::kGruResetAfter;
  std::vector<float> bias(size, 0.0f);
  for (size_t i = 0; i < size; ++i) {
    if (weights.input_bias != nullptr) bias[i] += weights.input_bias[i];
    if (weights.bias != nullptr && !apart) bias[i] += weights.bias[i];
  }
  input_ = Pack(weights.input, features, width(), bias.data(), pool);
  if (kind == RecurrentKind::kGru) {
    // r and z of r, o, z.
    const int64_t matrix = hidden * hidden;
    std::vector<float> gates(weights.recurrent, weights.recurrent + matrix);
    gates.insert(gates.end(), weights.recurrent + 2 * matrix, weights.recurrent + 3 * matrix);
    recurrent_ = Pack(gates.data(), hidden, 2 * hidden, nullptr, pool);
    candidate_ = Pack(weights.recurrent + matrix, hidden, hidden, nullptr, pool);
  } else {
    recurrent_ = Pack(weights.recurrent, hidden, width(), apart ? weights.bias : nullptr, pool);
  }
  if (weights.peephole != nullptr)
    peephole_.assign(weights.peephole, weights.peephole + 3 * hidden);
}

int64_t RecurrentLayer::ScratchFloats(int64_t batch) const {
  return Whole(StepsAtOnce(batch) * batch * width()) + Whole(batch * width()) +
         3 * Whole(batch * hidden_);
}

void RecurrentLayer::Run(const RecurrentRun& run, float* scratch, ThreadPool& pool) const {
  const Memory memory(scratch, run.batch, width(), hidden_);
  const auto load = [&](const float* from, float* to) {
    for (int64_t n = 0; n < run.batch; ++n)
      std::copy_n(from + n * run.width + run.column, hidden_, to + n * hidden_);
  };
  const auto store = [&](const float* from, float* to) {
    for (int64_t n = 0; n < run.batch; ++n)
      std::copy_n(from + n * hidden_, hidden_, to + n * run.width + run.column);
  };
  load(run.initial_h, memory.h);
  if (kind_ == RecurrentKind::kLstm) load(run.initial_c, memory.c);
  const int64_t many = StepsAtOnce(run.batch);
  for (int64_t first = 0; first < run.steps; first += many) {
    const int64_t count = std::min(many, run.steps - first);
    // The steps of x that are next, which lie the other way round when it is read backward.
    const int64_t from = run.reverse ? run.steps - first - count : first;
    Gemm(run.x + from * run.batch * features_, features_, count * run.batch, input_.view(),
         memory.inputs, width(), {}, pool);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t k = first + i;
      const int64_t t = run.reverse ? run.steps - 1 - k : k;
      const float* inputs = memory.inputs + (t - from) * run.batch * width();
      if (kind_ == RecurrentKind::kLstm) {
        StepLstm(memory, inputs, run.batch, pool);
      } else if (kind_ == RecurrentKind::kRnn) {
        StepRnn(memory, inputs, run.batch, pool);
      } else {
        StepGru(memory, inputs, run.batch, pool);
      }
      if (run.sequence)
        store(memory.h, run.outputs + (run.in_order_of_x ? t : k) * run.batch * run.width);
    }
  }
  if (!run.sequence) store(memory.h, run.outputs);
  store(memory.h, run.final_h);
  if (kind_ == RecurrentKind::kLstm) store(memory.c, run.final_c);
}

void RecurrentLayer::StepRnn(const Memory& memory, const float* inputs, int64_t batch,
                             ThreadPool& pool) const {
  const Step add = AddRows(inputs, width());
  Gemm(memory.h, hidden_, batch, recurrent_.view(), memory.gates, width(), {&add, 1}, pool);
  Apply(functions_.output, memory.gates, batch * hidden_);
  std::copy_n(memory.gates, batch * hidden_, memory.h);
}

void RecurrentLayer::StepGru(const Memory& memory, const float* inputs, int64_t batch,
                             ThreadPool& pool) const {
  const bool reset_after = kind_ == RecurrentKind::kGruResetAfter;
  const int64_t columns = reset_after ? 3 * hidden_ : 2 * hidden_;
  Gemm(memory.h, hidden_, batch, recurrent_.view(), memory.gates, columns, {}, pool);
  for (int64_t n = 0; n < batch; ++n) {
    float* gates = memory.gates + n * columns;
    float *r = gates, *z = gates + columns - hidden_;
    const float* from_x = inputs + n * width();
    for (int64_t i = 0; i < hidden_; ++i) r[i] += from_x[i];
    for (int64_t i = 0; i < hidden_; ++i) z[i] += from_x[2 * hidden_ + i];
    Apply(functions_.gates, r, hidden_);
    Apply(functions_.gates, z, hidden_);
    const float* h = memory.h + n * hidden_;
    // What r multiplies: the state's product, or the state.
    float* reset = (reset_after ? memory.candidate : memory.c) + n * hidden_;
    const float* multiplied = reset_after ? gates + hidden_ : h;
    for (int64_t i = 0; i < hidden_; ++i) reset[i] = r[i] * multiplied[i];
  }
  if (!reset_after) {
    Gemm(memory.c, hidden_, batch, candidate_.view(), memory.candidate, hidden_, {}, pool);
  }
  for (int64_t n = 0; n < batch; ++n) {
    float *o = memory.candidate + n * hidden_, *h = memory.h + n * hidden_;
    const float* from_x = inputs + n * width() + hidden_;
    const float* z = memory.gates + (n + 1) * columns - hidden_;
    for (int64_t i = 0; i < hidden_; ++i) o[i] += from_x[i];
    Apply(functions_.output, o, hidden_);
    for (int64_t i = 0; i < hidden_; ++i) h[i] = (1.0f - z[i]) * o[i] + z[i] * h[i];
  }
}

void RecurrentLayer::StepLstm(const Memory& memory, const float* inputs, int64_t batch,
                              ThreadPool& pool) const {
  const Step add = AddRows(inputs, width());
  Gemm(memory.h, hidden_, batch, recurrent_.view(), memory.gates, width(), {&add, 1}, pool);
  const float* peephole = peephole_.empty() ? nullptr : peephole_.data();
  for (int64_t n = 0; n < batch; ++n) {
    float* i = memory.gates + n * width();
    float *f = i + hidden_, *o = f + hidden_, *z = o + hidden_;
    float *c = memory.c + n * hidden_, *h = memory.h + n * hidden_;
    const auto peek = [&](float* gate, int64_t at) {
      for (int64_t j = 0; j < hidden_; ++j) gate[j] += peephole[at * hidden_ + j] * c[j];
    };
    if (peephole != nullptr) {
      peek(i, 0);
      peek(f, 1);
    }
    Apply(functions_.gates, i, 2 * hidden_);
    Apply(functions_.cell, z, hidden_);
    for (int64_t j = 0; j < hidden_; ++j)
      c[j] = std::min(std::max(f[j] * c[j] + i[j] * z[j], -clip_), clip_);
    if (peephole != nullptr) peek(o, 2);  // sees the new cell
    Apply(functions_.gates, o, hidden_);
    std::copy_n(c, hidden_, h);
    Apply(functions_.output, h, hidden_);
    for (int64_t j = 0; j < hidden_; ++j) h[j] *= o[j];
  }
}

}  // namespace anemone::cpu
