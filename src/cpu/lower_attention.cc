// scaled_dot_product_attention: for each matrix of the batch two products with a softmax between.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/rows.h"
#include "cpu/lowerings.h"
#include "exec/indexing.h"

namespace anemone::cpu {
namespace {

struct AttentionPlan {
  BufferId query = kNoBuffer;  // [batch, m, k]
  SlicedRows key;              // [batch, n, k]
  SlicedRows value;            // [batch, n, v]
  BufferId mask = kNoBuffer;   // rows of n
  BufferId scratch = kNoBuffer;
  int64_t m = 0, k = 0, n = 0, v = 0;
  std::vector<int64_t> mask_offsets;  // for each matrix of the batch
  int64_t mask_stride = 0;            // from one query to the next

  int64_t batch() const { return std::ssize(mask_offsets); }
  static int64_t Whole(int64_t floats) { return (floats + 15) / 16 * 16; }
  int64_t BiasFloats() const { return Whole(std::max(PackedColumns(n), PackedColumns(v))); }
  int64_t PanelFloats() const { return Whole(std::max(PackedFloats(k, n), PackedFloats(n, v))); }
  int64_t EachFloats() const { return PanelFloats() + Whole(m * n); }

  static const float* Matrix(const Frame& frame, const SlicedRows& rows, int64_t b) {
    return frame.In(rows.buffer) + rows.offset + b * rows.stride;
  }

  // softmax(scores * scale + mask) in place; a query with nothing let through gives zeros.
  void Weigh(float* scores, const float* added, ThreadPool& pool) const {
    const float scale = 1.0f / std::sqrt(static_cast<float>(k));
    std::vector<int64_t> empty;
    for (int64_t i = 0; i < m; ++i) {
      float* row = scores + i * n;
      const float* extra = added == nullptr ? nullptr : added + i * mask_stride;
      float largest = -std::numeric_limits<float>::infinity();
      bool nan = false;
      for (int64_t j = 0; j < n; ++j) {
        row[j] = row[j] * scale + (extra == nullptr ? 0.0f : extra[j]);
        largest = std::max(largest, row[j]);
        nan = nan || std::isnan(row[j]);
      }
      if (largest == -std::numeric_limits<float>::infinity() && !nan) empty.push_back(i);
    }
    Softmax(scores, scores, m, n, pool);
    for (const int64_t i : empty) std::fill_n(scores + i * n, n, 0.0f);
  }

  void Run(const Frame& frame, float* out) const {
    float* bias = frame.Out(scratch);
    std::fill_n(bias, BiasFloats(), 0.0f);
    float* work = bias + BiasFloats();
    const float* added = mask == kNoBuffer ? nullptr : frame.In(mask);
    frame.pool->ParallelFor(batch(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        float* panels = work + b * EachFloats();
        float* scores = panels + PanelFloats();
        PackMatrix(Matrix(frame, key, b), k, n, 1, k, panels);
        Gemm(frame.In(query) + b * m * k, k, m, {panels, bias, k, n}, scores, n, {}, *frame.pool);
        Weigh(scores, added == nullptr ? nullptr : added + mask_offsets[b], *frame.pool);
        PackMatrix(Matrix(frame, value, b), n, v, v, 1, panels);
        Gemm(scores, n, m, {panels, bias, n, v}, out + b * m * v, v, {}, *frame.pool);
      }
    });
  }
};

// Where the mask of each matrix of the batch begins, and how far its rows are apart.
void PlaceMask(const ir::Shape& mask, const ir::Shape& scores, AttentionPlan* plan) {
  exec::Strides strides = exec::BroadcastStrides(mask, scores);
  plan->mask_stride = strides[strides.size() - 2];
  strides.resize(strides.size() - 2);
  const ir::Shape batch(scores.begin(), scores.end() - 2);
  size_t b = 0;
  exec::ForEachOffset<1>(batch, {strides}, [&](const std::array<int64_t, 1>& offsets) {
    plan->mask_offsets[b++] = offsets[0];
  });
}

}  // namespace

Result<bool> LowerAttention(Planner& planner, const Node& node) {
  const ir::Value* query = node.operation->Input("query");
  const ir::Value* key = node.operation->Input("key");
  const ir::Value* value = node.operation->Input("value");
  const ir::Value* mask = node.operation->Input("attn_mask");
  if (!IsFloat32(node.types[0]) || CountOf(node.types[0]) == 0) return false;
  for (const ir::Value* operand : {query, key, value, mask}) {
    if (operand != nullptr && !IsFloat32(planner.TypeOf(operand))) return false;
  }
  const ir::Shape& q = planner.TypeOf(query).shape();
  const ir::Shape& k = planner.TypeOf(key).shape();
  if (q.size() < 3 || CountOf(planner.TypeOf(query)) == 0 || CountOf(planner.TypeOf(key)) == 0)
    return false;
  AttentionPlan plan;
  plan.m = q[q.size() - 2];
  plan.k = q.back();
  plan.n = k[k.size() - 2];
  plan.v = planner.TypeOf(value).shape().back();
  plan.mask_offsets.assign(static_cast<size_t>(CountOf(node.types[0]) / (plan.m * plan.v)), 0);
  if (mask != nullptr) {
    ir::Shape scores(q.begin(), q.end() - 1);
    scores.push_back(plan.n);
    PlaceMask(planner.TypeOf(mask).shape(), scores, &plan);
  }
  ANEMONE_ASSIGN(plan.query, planner.Read(query, Layout::kRowMajor));
  ANEMONE_ASSIGN(plan.key, planner.TakeRows(key));
  ANEMONE_ASSIGN(plan.value, planner.TakeRows(value));
  std::vector<BufferId> reads = {plan.query, plan.key.buffer, plan.value.buffer};
  if (mask != nullptr) {
    ANEMONE_ASSIGN(plan.mask, planner.Read(mask, Layout::kRowMajor));
    reads.push_back(plan.mask);
  }
  const int64_t floats = plan.BiasFloats() + plan.batch() * plan.EachFloats();
  plan.scratch = planner.NewBuffer(floats * int64_t{sizeof(float)});
  const BufferId scratch = plan.scratch;
  Group& group = planner.OpenSimple(
      *node.operation, "attention", Layout::kRowMajor, std::move(reads),
      [plan = std::move(plan)](const Frame& frame, float* out) { plan.Run(frame, out); });
  group.scratch = {scratch};
  planner.FinishOperation(group);
  return true;
}

}  // namespace anemone::cpu
