// One direction of an LSTM, a GRU or an RNN in float32. The products with the inputs are made for many
// steps at once; the products with the state, step by step, for all sequences of the batch. Bits do not
// depend on the thread count, as Gemm's.
//
// Thread rules: a RecurrentLayer is immutable once packed; a run needs scratch memory of its own.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/steps.h"

namespace anemone::cpu {

enum class RecurrentKind : uint8_t {
  kRnn,
  kGru,
  kGruResetAfter,  // the reset gate multiplies the state's product, bias included
  kLstm,
};

// Row-major, gates in MIL's order: i, f, o, z (lstm) or r, o, z (gru). Null biases are zeros.
struct RecurrentWeights {
  const float* input = nullptr;       // [gates * hidden, features]
  const float* recurrent = nullptr;   // [gates * hidden, hidden]
  const float* bias = nullptr;        // [gates * hidden], of the product with the state
  const float* input_bias = nullptr;  // [gates * hidden]
  const float* peephole = nullptr;    // lstm: [3 * hidden], of i, f, o
};

// Functions without an operand; none is the identity.
struct RecurrentFunctions {
  std::optional<Step> gates, cell, output;  // an RNN has the output's only, a GRU no cell's
};

struct RecurrentRun {
  int64_t steps = 0, batch = 0;
  bool reverse = false;        // from the last step to the first
  bool in_order_of_x = false;  // the sequence is, rather than in the order of computation
  bool sequence = false;       // whether `outputs` has a row for each step, or for the last only
  int64_t width = 0;           // floats of a row of the states and outputs, which have columns
  int64_t column = 0;          // [column, column + hidden) of this direction
  const float* x = nullptr;    // [steps, batch, features]
  const float* initial_h = nullptr;  // [batch, width]
  const float* initial_c = nullptr;  // lstm
  float* outputs = nullptr;
  float* final_h = nullptr;
  float* final_c = nullptr;
};

class RecurrentLayer {
 public:
  RecurrentLayer(RecurrentKind kind, int64_t features, int64_t hidden,
                 const RecurrentWeights& weights, const RecurrentFunctions& functions, float clip,
                 ThreadPool& pool);

  int64_t hidden() const { return hidden_; }
  // Floats of scratch memory for a batch, aligned as Floats are.
  int64_t ScratchFloats(int64_t batch) const;
  void Run(const RecurrentRun& run, float* scratch, ThreadPool& pool) const;

 private:
  struct Memory;

  int64_t width() const { return gates_ * hidden_; }
  // The state of all sequences after one more step; `inputs` are the products with its inputs.
  void StepRnn(const Memory& memory, const float* inputs, int64_t batch, ThreadPool& pool) const;
  void StepGru(const Memory& memory, const float* inputs, int64_t batch, ThreadPool& pool) const;
  void StepLstm(const Memory& memory, const float* inputs, int64_t batch, ThreadPool& pool) const;

  RecurrentKind kind_;
  int64_t features_, hidden_, gates_;
  PackedMatrix input_, recurrent_;
  PackedMatrix candidate_;  // kGru: the state's product of o, which comes after the others
  std::vector<float> peephole_;
  RecurrentFunctions functions_;
  float clip_;  // bound of an LSTM's cells
};

}  // namespace anemone::cpu
