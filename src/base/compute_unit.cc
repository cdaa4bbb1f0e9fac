#include "base/compute_unit.h"

#include <string>
#include <utility>

namespace anemone {
namespace {

// By value of the enumeration.
constexpr std::array<std::string_view, kComputeUnitCount> kUnitNames{"unknown", "cpu", "gpu", "ane",
                                                                     "mixed"};

// In lower case and without separators.
constexpr std::array<std::pair<std::string_view, ComputeUnit>, 8> kOtherSpellings{{
    {"ane", ComputeUnit::kAne},
    {"ne", ComputeUnit::kAne},
    {"neuralengine", ComputeUnit::kAne},
    {"mlneuralenginecomputedevice", ComputeUnit::kAne},
    {"gpu", ComputeUnit::kGpu},
    {"mlgpucomputedevice", ComputeUnit::kGpu},
    {"cpu", ComputeUnit::kCpu},
    {"mlcpucomputedevice", ComputeUnit::kCpu},
}};

// By value of the enumeration.
constexpr std::array<std::string_view, 4> kUnitsNames{"all", "cpu_only", "cpu_and_gpu",
                                                      "cpu_and_ne"};

}  // namespace

std::string_view ComputeUnitName(ComputeUnit unit) { return kUnitNames[static_cast<size_t>(unit)]; }

std::optional<ComputeUnit> ComputeUnitFromName(std::string_view name) {
  for (size_t i = 0; i < kUnitNames.size(); ++i) {
    if (kUnitNames[i] == name) return static_cast<ComputeUnit>(i);
  }
  return std::nullopt;
}

std::optional<ComputeUnit> HardwareUnitFromAnyName(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c == '_' || c == ' ' || c == '-') continue;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const auto& [spelling, unit] : kOtherSpellings) {
    if (spelling == folded) return unit;
  }
  return std::nullopt;
}

std::string_view ComputeUnitsName(ComputeUnits units) {
  return kUnitsNames[static_cast<size_t>(units)];
}

Result<ComputeUnits> ComputeUnitsFromName(std::string_view name) {
  std::string names;
  for (size_t i = 0; i < kUnitsNames.size(); ++i) {
    if (kUnitsNames[i] == name) return static_cast<ComputeUnits>(i);
    names += (names.empty() ? "" : ", ") + std::string(kUnitsNames[i]);
  }
  return Usage("there are no compute units '{}'", name).Advise("choose one of " + names);
}

bool Allows(ComputeUnits units, ComputeUnit unit) {
  switch (unit) {
    case ComputeUnit::kCpu:
      return true;
    case ComputeUnit::kGpu:
      return units == ComputeUnits::kAll || units == ComputeUnits::kCpuAndGpu;
    case ComputeUnit::kAne:
      return units == ComputeUnits::kAll || units == ComputeUnits::kCpuAndNe;
    case ComputeUnit::kUnknown:
    case ComputeUnit::kMixed:
      break;
  }
  return false;
}

}  // namespace anemone
