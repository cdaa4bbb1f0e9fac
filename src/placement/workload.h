// Workload: what a set of operations asks of a machine, summed by the kinds of work that cost
// differently. The features of the latency model; tools/placement/fit.py fits on the same sums,
// read from `anemone inspect --placement --json`. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "placement/analyze.h"

namespace anemone::placement {

struct Workload {
  // Operations (a multiply-accumulate counts as two) of dense convolutions, of those with one input
  // channel a group, of products of matrices, and of all else.
  double conv_flops = 0;
  double depthwise_flops = 0;
  double matmul_flops = 0;
  double other_flops = 0;
  // Of the products and convolutions: whose weights and activations are both int8.
  double int8_flops = 0;
  // Constants as stored (compressed ones count compressed), and as float16.
  double weight_bytes = 0;
  double weight_bytes_fp16 = 0;
  // Bytes that activations move, the last axis padded to 64 bytes; elementwise operations that fuse
  // with what makes their input count only what they read besides.
  double activation_bytes = 0;
  // The same for data movement: transposes, slices, reshapes that change the last axis, ...
  double movement_bytes = 0;
  // The same for normalizations, reductions and softmax.
  double reduction_bytes = 0;
  int64_t operations = 0;  // that do not fuse

  void Add(const Workload& other);
};

// On an engine of `family`: from H15 on, int8 activations move as int8 (Apple measured W8A8 on A16
// at 1.2 to 1.8 times float16, though it computes in float16).
Workload WorkloadOf(const AnalyzedOp& op, AneFamily family);
// Of the operations that `keep` accepts; nested ones count once.
template <typename Keep>
Workload SumWorkloads(const Analysis& analysis, Keep keep) {
  Workload sum;
  for (const AnalyzedOp& op : analysis.operations) {
    if (keep(op)) sum.Add(WorkloadOf(op, analysis.chip->family));
  }
  return sum;
}

}  // namespace anemone::placement
