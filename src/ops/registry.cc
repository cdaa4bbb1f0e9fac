// The tables of all families: what ir, exec, onnx, torch and placement declare and look up by an
// operator's name, and leave to be defined here, as they know no family.
#include <algorithm>
#include <unordered_map>

#include "onnx/converter.h"
#include "ops/ops.h"
#include "placement/place.h"
#include "torch/converter.h"

namespace anemone {

namespace {

struct Table {
  std::vector<ir::OpDef> defs;
  std::vector<const ir::OpDef*> sorted_defs;
  std::unordered_map<std::string_view, const ir::OpDef*> defs_by_name;
  std::unordered_map<std::string_view, exec::KernelEntry> kernels;
  std::vector<const onnx::Converter*> converters;
  std::vector<const torch::Converter*> torch_converters;
  std::vector<const placement::PlaceRule*> sorted_rules;
  std::unordered_map<std::string_view, const placement::PlaceRule*> rules_by_op;

  Table() {
#define ANEMONE_FAMILY(family)                                                    \
  Add(ops::family::Defs(), ops::family::Kernels(), ops::family::OnnxConverters(), \
      ops::family::TorchConverters(), ops::family::PlaceRules());
#include "ops/families.inc"
#undef ANEMONE_FAMILY
    for (const ir::OpDef& def : defs) {
      sorted_defs.push_back(&def);
      defs_by_name[def.name] = &def;
    }
    std::ranges::sort(sorted_defs, {}, &ir::OpDef::name);
    for (const auto& [op, rule] : rules_by_op) sorted_rules.push_back(rule);
    std::ranges::sort(sorted_rules, {}, &placement::PlaceRule::op);
  }

  void Add(std::vector<ir::OpDef> family_defs, std::span<const exec::KernelEntry> family_kernels,
           std::span<const onnx::Converter> family_converters,
           std::span<const torch::Converter> family_torch_converters,
           std::span<const placement::PlaceRule> family_rules) {
    std::ranges::move(family_defs, std::back_inserter(defs));
    for (const exec::KernelEntry& entry : family_kernels) kernels[entry.op] = entry;
    for (const onnx::Converter& converter : family_converters) converters.push_back(&converter);
    for (const torch::Converter& converter : family_torch_converters)
      torch_converters.push_back(&converter);
    for (const placement::PlaceRule& rule : family_rules) rules_by_op[rule.op] = &rule;
  }

  exec::KernelEntry Kernel(std::string_view op) const {
    const auto found = kernels.find(op);
    return found == kernels.end() ? exec::KernelEntry{} : found->second;
  }
};

const Table& TheTable() {
  static const Table table;
  return table;
}

template <typename T>
const T* Find(const std::unordered_map<std::string_view, const T*>& by_name,
              std::string_view name) {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

}  // namespace

const ir::OpDef* ir::FindOpDef(std::string_view name) {
  return Find(TheTable().defs_by_name, name);
}

std::span<const ir::OpDef* const> ir::AllOpDefs() { return TheTable().sorted_defs; }

exec::KernelFn exec::FindReferenceKernel(std::string_view op) {
  return TheTable().Kernel(op).kernel;
}

exec::InterpretFn exec::FindInterpretFn(std::string_view op) {
  return TheTable().Kernel(op).interpret;
}

std::span<const onnx::Converter* const> onnx::AllConverters() { return TheTable().converters; }

const placement::PlaceRule* placement::FindPlaceRule(std::string_view op) {
  return Find(TheTable().rules_by_op, op);
}

std::span<const torch::Converter* const> torch::AllConverters() {
  return TheTable().torch_converters;
}

std::span<const placement::PlaceRule* const> placement::AllPlaceRules() {
  return TheTable().sorted_rules;
}

}  // namespace anemone
