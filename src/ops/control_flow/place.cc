// Control flow and lists have no code on the Neural Engine. States are read and written on
// it (iOS18).
#include "placement/place.h"

namespace anemone::ops::control_flow {

using placement::BeliefKind;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

Verdict Control(const Query& query) {
  return placement::No("control_flow", placement::kTables,
                       fmt::format("{} is control flow", query.args.def().name),
                       "unroll the loop, or choose the branch at conversion time");
}

Verdict Lists(const Query& query) {
  return placement::No("list", placement::kTables,
                       fmt::format("{} works on lists", query.args.def().name),
                       "unroll the loop so that no list is left");
}

Verdict State(const Query&) { return placement::Yes("state", placement::kTables); }

constexpr PlaceRule Cpu(std::string_view op, placement::AneFn ane) {
  return {.op = op,
          .ane = ane,
          .work = WorkKind::kElementwise,
          .belief = BeliefKind::kNone,
          .others = Others::kUnknownGpu};
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      Cpu("cond", Control),       Cpu("list_gather", Lists),
      Cpu("list_length", Lists),  Cpu("list_read", Lists),
      Cpu("list_scatter", Lists), Cpu("list_write", Lists),
      Cpu("make_list", Lists),    {"read_state", State, WorkKind::kMovement, BeliefKind::kMemory},
      Cpu("while_loop", Control), {"write_state", State, WorkKind::kMovement, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::control_flow
