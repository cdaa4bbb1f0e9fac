#include "placement/segmenter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace anemone::placement {
namespace {

constexpr size_t kEngines = 3;
constexpr double kNever = std::numeric_limits<double>::infinity();
// Costs closer than this are a tie: the beliefs have three digits.
constexpr double kTieUs = 0.01;

struct Cell {
  double cost = kNever;
  size_t from = 0;
  bool tie = false;
};

double BelievedUs(const EngineBeliefs& beliefs, size_t engine) {
  switch (static_cast<Engine>(engine)) {
    case Engine::kAne:
      return beliefs.ane_us.value_or(kNever);
    case Engine::kBnns:
      return beliefs.bnns_us.value_or(kNever);
    case Engine::kClassicCpu:
      break;
  }
  const bool nobody = !beliefs.ane_us && !beliefs.bnns_us && !beliefs.classic_us;
  return nobody ? 0 : beliefs.classic_us.value_or(kNever);
}

// Keeps the cheaper way; engines are offered in the order ANE first.
void Offer(double cost, size_t from, bool tie, Cell* cell) {
  if (cost < cell->cost - kTieUs) {
    *cell = {cost, from, tie};
  } else if (std::isfinite(cost) && cost < cell->cost + kTieUs) {
    cell->tie = true;
  }
}

}  // namespace

Segmentation SegmentOperations(std::span<const EngineBeliefs> beliefs,
                               const SegmenterCosts& costs) {
  Segmentation result;
  if (beliefs.empty()) return result;
  constexpr auto kAne = static_cast<size_t>(Engine::kAne);
  std::vector<std::array<Cell, kEngines>> cells(beliefs.size());
  for (size_t i = 0; i < beliefs.size(); ++i) {
    for (size_t to = 0; to < kEngines; ++to) {
      const double own = BelievedUs(beliefs[i], to);
      if (!std::isfinite(own)) continue;
      const double launch = to == kAne ? costs.ane_launch_us : 0;
      Cell& cell = cells[i][to];
      if (i == 0) {
        cell.cost = own + launch;
        continue;
      }
      for (size_t from = 0; from < kEngines; ++from) {
        const Cell& before = cells[i - 1][from];
        const double enter = from == to ? 0 : costs.switch_us + launch;
        Offer(before.cost + enter + own, from, before.tie, &cell);
      }
    }
  }
  Cell last;
  for (size_t engine = 0; engine < kEngines; ++engine) {
    const Cell& cell = cells.back()[engine];
    Offer(cell.cost + (engine == kAne ? costs.ane_output_us : 0), engine, cell.tie, &last);
  }
  result.cost_us = last.cost;
  result.tie = last.tie;
  result.engines.resize(beliefs.size());
  size_t engine = last.from;
  for (size_t i = beliefs.size(); i-- > 0;) {
    result.engines[i] = static_cast<Engine>(engine);
    engine = cells[i][engine].from;
  }
  for (size_t i = 0; i < result.engines.size(); ++i) {
    if (result.segments.empty() || result.segments.back().engine != result.engines[i])
      result.segments.push_back({result.engines[i], i, 0});
    ++result.segments.back().count;
  }
  return result;
}

}  // namespace anemone::placement
