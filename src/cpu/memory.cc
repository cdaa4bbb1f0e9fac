// Arena layout: greedy, largest buffer first, each at the lowest offset that is free during its
// whole life.
#include <algorithm>
#include <limits>

#include "cpu/plan.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kAlignment = 64;

struct Life {
  int64_t begin = std::numeric_limits<int64_t>::max();
  int64_t end = -1;
  void Cover(int64_t at) {
    begin = std::min(begin, at);
    end = std::max(end, at);
  }
};

}  // namespace

void PlaceBuffers(Plan* plan) {
  std::vector<Life> lives(plan->buffers.size());
  const auto cover = [&](BufferId id, int64_t at) {
    if (id != kNoBuffer) lives[static_cast<size_t>(id)].Cover(at);
  };
  for (size_t i = 0; i < plan->instructions.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    for (const BufferId id : plan->instructions[i].reads) cover(id, at);
    for (const BufferId id : plan->instructions[i].writes) cover(id, at);
    for (const BufferId id : plan->instructions[i].traced) cover(id, at);
  }
  // Inputs are rounded before the first instruction, outputs copied after the last.
  for (const PlanInput& input : plan->inputs) cover(input.rounded, -1);
  const auto end = static_cast<int64_t>(plan->instructions.size());
  for (const PlanOutput& output : plan->outputs) cover(output.buffer, end);
  for (const BufferId id : plan->kept) cover(id, end);

  std::vector<size_t> order;
  for (size_t i = 0; i < lives.size(); ++i) {
    if (plan->buffers[i].kind == Buffer::Kind::kArena && lives[i].end >= lives[i].begin) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return plan->buffers[a].size_bytes > plan->buffers[b].size_bytes;
  });
  const auto rounded = [](int64_t bytes) {
    return (std::max<int64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  };
  std::vector<size_t> placed;
  plan->arena_bytes = 0;
  for (const size_t i : order) {
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (const size_t j : placed) {
      if (lives[i].begin > lives[j].end || lives[j].begin > lives[i].end) continue;
      const int64_t offset = plan->buffers[j].offset;
      taken.emplace_back(offset, offset + rounded(plan->buffers[j].size_bytes));
    }
    std::sort(taken.begin(), taken.end());
    int64_t offset = 0;
    for (const auto& [begin, stop] : taken) {
      if (offset + rounded(plan->buffers[i].size_bytes) <= begin) break;
      offset = std::max(offset, stop);
    }
    plan->buffers[i].offset = offset;
    plan->arena_bytes = std::max(plan->arena_bytes, offset + rounded(plan->buffers[i].size_bytes));
    placed.push_back(i);
  }
}

}  // namespace anemone::cpu
