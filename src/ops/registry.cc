#include <algorithm>
#include <unordered_map>

#include "ops/ops.h"

namespace anemone {
namespace {

struct Table {
  std::vector<ir::OpDef> defs;
  std::vector<const ir::OpDef*> sorted;
  std::unordered_map<std::string_view, const ir::OpDef*> by_name;
  std::unordered_map<std::string_view, exec::KernelFn> kernels;

  Table() {
#define ANEMONE_OP_FAMILY(family)                                                \
  {                                                                              \
    auto family_defs = ops::family::Defs();                                      \
    std::move(family_defs.begin(), family_defs.end(), std::back_inserter(defs)); \
  }                                                                              \
  for (const exec::KernelEntry& entry : ops::family::Kernels()) kernels[entry.op] = entry.kernel;
#include "ops/families.inc"
#undef ANEMONE_OP_FAMILY
    for (const ir::OpDef& def : defs) {
      sorted.push_back(&def);
      by_name[def.name] = &def;
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->name < b->name; });
  }
};

const Table& TheTable() {
  static const Table table;
  return table;
}

}  // namespace

namespace ir {

const OpDef* FindOpDef(std::string_view name) {
  const auto found = TheTable().by_name.find(name);
  return found == TheTable().by_name.end() ? nullptr : found->second;
}

std::span<const OpDef* const> AllOpDefs() { return TheTable().sorted; }

}  // namespace ir

namespace exec {

KernelFn FindReferenceKernel(std::string_view op) {
  const auto found = TheTable().kernels.find(op);
  return found == TheTable().kernels.end() ? nullptr : found->second;
}

}  // namespace exec
}  // namespace anemone
