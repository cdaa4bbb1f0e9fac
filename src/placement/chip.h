// Chips: what is known of each Apple chip that matters for placement and latency, as one table.
// Every number has its source in docs/placement.md; unpublished values are nullopt, never a
// guess. Thread rules: an immutable table that lives for the whole process.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::placement {

// The compiler's name for a Neural Engine generation; one step for each generation, comparable.
enum class AneFamily : uint8_t { kH13, kH14, kH15, kH16, kH17 };
std::string_view AneFamilyName(AneFamily family);

struct Chip {
  std::string_view name;   // "m1", "a17pro"
  std::string_view title;  // "M1", "A17 Pro"
  AneFamily family;
  bool phone = false;

  // Rates: tera operations a second as Apple prints them, the half-precision rate that they mean,
  // and the engine's highest clock.
  std::optional<double> ane_tops;
  std::optional<double> ane_fp16_tflops;
  std::optional<double> ane_clock_ghz;
  std::optional<double> gpu_fp16_tflops;
  std::optional<double> dram_gbps;
  // The engine multiplies int8 by int8 at twice the half-precision rate.
  bool int8_compute = false;

  // Limits of the Neural Engine: largest width or height, largest of the other dimensions.
  int64_t max_width_height = 16384;
  int64_t max_dimension = 65536;
  // Convolution: largest kernel. A kernel one wider than the limit is accepted when it is square
  // (measured on H16).
  int64_t max_kernel_width = 15;
  int64_t max_kernel_height = 31;
  int64_t max_kernel_depth = 16;
  int64_t max_pool_window = 31;
  int64_t max_matmul_inner = 32768;
  // Whether the rules for this chip were measured with Core ML on a chip of its family, or read
  // from compiler tables.
  bool rules_measured = false;

  bool at_least(AneFamily other) const { return family >= other; }
};

std::span<const Chip> AllChips();
// By name, without regard to case, blanks and hyphens ("M1 Pro", "a17-pro"). kUsage lists the
// names.
Result<const Chip*> FindChip(std::string_view name);
// "m1,m2,a14": each once, in the order given.
Result<std::vector<const Chip*>> ParseChips(std::string_view list);

}  // namespace anemone::placement
