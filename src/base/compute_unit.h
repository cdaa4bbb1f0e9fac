// The two words for compute units that all layers share: ComputeUnit, one piece of hardware, and
// ComputeUnits, the set that a caller allows. Their names here are those of every flag, JSON key,
// run record, metric and report. Thread rules: values and pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace anemone {

// Where something runs. kUnknown: not reported, which is never taken for the CPU. kMixed sums up
// work that is spread over several units; one operation is never mixed.
enum class ComputeUnit : uint8_t { kUnknown, kCpu, kGpu, kAne, kMixed };
inline constexpr size_t kComputeUnitCount = 5;

// The pieces of hardware, in the order in which reports list them.
inline constexpr std::array<ComputeUnit, 3> kHardwareUnits{ComputeUnit::kAne, ComputeUnit::kGpu,
                                                           ComputeUnit::kCpu};

// "unknown", "cpu", "gpu", "ane", "mixed".
std::string_view ComputeUnitName(ComputeUnit unit);
// The inverse, for our own files: exactly these names.
std::optional<ComputeUnit> ComputeUnitFromName(std::string_view name);
// One piece of hardware as other tools spell it: "ANE", "neural_engine", "neuralEngine",
// "MLNeuralEngineComputeDevice", "Gpu". Nullopt for every other text, "unknown" and "mixed" too.
std::optional<ComputeUnit> HardwareUnitFromAnyName(std::string_view name);

// What a caller allows, as Core ML's MLComputeUnits does.
enum class ComputeUnits : uint8_t { kAll, kCpuOnly, kCpuAndGpu, kCpuAndNe };

// "all", "cpu_only", "cpu_and_gpu", "cpu_and_ne".
std::string_view ComputeUnitsName(ComputeUnits units);
// The inverse; kUsage lists the names.
Result<ComputeUnits> ComputeUnitsFromName(std::string_view name);
// Whether `units` contains the piece of hardware `unit`. The CPU is always allowed.
bool Allows(ComputeUnits units, ComputeUnit unit);

}  // namespace anemone
