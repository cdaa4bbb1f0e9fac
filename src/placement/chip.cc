#include "placement/chip.h"

#include <algorithm>
#include <string>

namespace anemone::placement {
namespace {

constexpr auto kNone = std::nullopt;

// The limits of a generation. H13 has smaller kernels and windows; H16 lifts width and height.
// Sources: compiler parameter tables (GUIDE, appendix A), Core ML plans on M4 (M6).
constexpr Chip H13(Chip chip) {
  chip.family = AneFamily::kH13;
  chip.max_kernel_width = 13;
  chip.max_kernel_height = 29;
  chip.max_pool_window = 29;
  return chip;
}

constexpr Chip H14(Chip chip) {
  chip.family = AneFamily::kH14;
  return chip;
}

constexpr Chip H15(Chip chip) {
  chip.family = AneFamily::kH15;
  return chip;
}

constexpr Chip H16(Chip chip) {
  chip.family = AneFamily::kH16;
  chip.max_width_height = 65536;
  chip.int8_compute = true;
  chip.rules_measured = true;
  return chip;
}

constexpr Chip H17(Chip chip) {
  chip = H16(chip);
  chip.family = AneFamily::kH17;
  chip.rules_measured = false;
  return chip;
}

constexpr Chip Mac(std::string_view name, std::string_view title, std::optional<double> tops,
                   std::optional<double> tflops, std::optional<double> clock,
                   std::optional<double> gpu, std::optional<double> dram) {
  return {.name = name,
          .title = title,
          .family = AneFamily::kH13,
          .phone = false,
          .ane_tops = tops,
          .ane_fp16_tflops = tflops,
          .ane_clock_ghz = clock,
          .gpu_fp16_tflops = gpu,
          .dram_gbps = dram};
}

constexpr Chip Phone(std::string_view name, std::string_view title, double tops, double tflops,
                     double clock, std::optional<double> gpu, std::optional<double> dram) {
  Chip chip = Mac(name, title, tops, tflops, clock, gpu, dram);
  chip.phone = true;
  return chip;
}

// TOPS: Apple. From A17 Pro and M4 on they count int8 operations, so half precision has half.
// Clocks: FORGE. GPU: metal-benchmarks, huggingface.js. DRAM: Apple and the press.
constexpr Chip kChips[] = {
    H13(Phone("a14", "A14", 11, 11, 1.428, 1.309, 34.1)),
    H14(Phone("a15", "A15", 15.8, 15.8, 1.938, 1.713, 34.1)),
    H15(Phone("a16", "A16", 17, 17, 2.064, 1.79, 51.2)),
    H16(Phone("a17pro", "A17 Pro", 35, 17.5, 2.160, kNone, 51.2)),
    H17(Phone("a18", "A18", 35, 17.5, 2.172, kNone, kNone)),
    H17(Phone("a18pro", "A18 Pro", 35, 17.5, 2.172, kNone, kNone)),
    H13(Mac("m1", "M1", 11, 11, 1.428, 2.617, 68.25)),
    H13(Mac("m1pro", "M1 Pro", 11, 11, 1.464, 5.308, 200)),
    H13(Mac("m1max", "M1 Max", 11, 11, 1.464, 10.617, 400)),
    H13(Mac("m1ultra", "M1 Ultra", 22, 11, kNone, 21.233, 800)),
    H14(Mac("m2", "M2", 15.8, 15.8, 1.938, 3.579, 100)),
    H14(Mac("m2pro", "M2 Pro", 15.8, 15.8, 1.938, 6.80, 200)),
    H14(Mac("m2max", "M2 Max", 15.8, 15.8, 1.938, 13.60, 400)),
    H15(Mac("m3", "M3", 18, 18, 2.064, 4.1, 100)),
    H15(Mac("m3pro", "M3 Pro", 18, 18, 2.364, 6.39, 150)),
    H15(Mac("m3max", "M3 Max", 18, 18, 2.364, 14.2, 400)),
    H16(Mac("m4", "M4", 38, 19, 2.160, 4.6, 120)),
    H16(Mac("m4pro", "M4 Pro", 38, 19, 2.364, 9.2, 273)),
    H16(Mac("m4max", "M4 Max", 38, 19, 2.364, 18.4, 546)),
    H17(Mac("m5", "M5", kNone, kNone, 2.172, kNone, kNone)),
    H17(Mac("m5max", "M5 Max", kNone, 19.27, 2.364, 30.9, kNone)),
};

// Lower case, without blanks and hyphens.
std::string Folded(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return folded;
}

std::string Names() {
  std::string names;
  for (const Chip& chip : kChips) names += (names.empty() ? "" : ", ") + std::string(chip.name);
  return names;
}

}  // namespace

std::string_view AneFamilyName(AneFamily family) {
  static constexpr std::string_view kNames[] = {"H13", "H14", "H15", "H16", "H17"};
  return kNames[static_cast<size_t>(family)];
}

std::span<const Chip> AllChips() { return kChips; }

Result<const Chip*> FindChip(std::string_view name) {
  const std::string folded = Folded(name);
  const auto found = std::find_if(std::begin(kChips), std::end(kChips),
                                  [&](const Chip& chip) { return chip.name == folded; });
  if (found != std::end(kChips)) return &*found;
  return Usage("chip '{}' is unknown; the known chips are {}", name, Names());
}

Result<std::vector<const Chip*>> ParseChips(std::string_view list) {
  std::vector<const Chip*> chips;
  while (true) {
    const size_t comma = list.find(',');
    ANEMONE_ASSIGN(const Chip* chip, FindChip(list.substr(0, comma)));
    if (std::find(chips.begin(), chips.end(), chip) == chips.end()) chips.push_back(chip);
    if (comma == std::string_view::npos) return chips;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace anemone::placement
