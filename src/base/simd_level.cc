#include "base/simd_level.h"

#include <cctype>
#include <cstdlib>

#include "base/simd_targets.h"
#include "hwy/highway.h"

#if HWY_ARCH_X86_64 && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace anemone {
namespace {

#if HWY_ARCH_X86_64 && defined(__linux__)
// Asks the system for the memory of tile registers, once for the process.
bool MayUseTiles() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

DotInstructions Detect() {
  DotInstructions dots;
  const int64_t targets = hwy::SupportedTargets();
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return dots;
  unsigned a1 = 0, b1 = 0, c1 = 0, d1 = 0;
  if (a >= 1) __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1);
  const auto bit = [](unsigned word, int index) { return (word >> index & 1) != 0; };
  // Highway's targets say that the system saves the vector registers.
  if ((targets & HWY_AVX2) != 0) dots.avx_vnni = bit(a1, 4);
  if ((targets & HWY_AVX3) == 0) return dots;
  dots.avx512_vnni = bit(c, 11);
  dots.avx512_bf16 = bit(a1, 5);
  if (bit(d, 24) && dots.avx512_vnni && dots.avx512_bf16 && MayUseTiles()) {
    dots.amx_int8 = bit(d, 25);
    dots.amx_bf16 = bit(d, 22);
  }
  return dots;
}
#else
DotInstructions Detect() { return {}; }
#endif

const DotInstructions& Detected() {
  static const DotInstructions dots = Detect();
  return dots;
}

DotInstructions& Current() {
  static DotInstructions dots = Detected();
  return dots;
}

std::vector<SimdLevel> MakeLevels() {
  const int64_t supported = hwy::SupportedTargets();
  const DotInstructions has = Detected();
  std::vector<SimdLevel> levels;
  const auto add = [&](std::string name, int64_t target, const DotInstructions& dots) {
    // Better targets have lower bits.
    levels.push_back({std::move(name), supported & ~(target - 1), dots});
  };
  for (int bit = 62; bit >= 0; --bit) {
    const int64_t target = int64_t{1} << bit;
    if ((supported & HWY_TARGETS & target) == 0) continue;
    std::string name = hwy::TargetName(target);
    for (char& letter : name) {
      letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
    add(name, target, {});
    if (target == HWY_AVX2 && has.avx_vnni) add("avx2_vnni", target, {.avx_vnni = true});
    if (target != HWY_AVX3) continue;
    DotInstructions dots;
    dots.avx512_vnni = has.avx512_vnni;
    if (has.avx512_vnni) add("avx3_vnni", target, dots);
    dots.avx512_bf16 = has.avx512_bf16;
    if (has.avx512_bf16) add("avx3_bf16", target, dots);
    dots.amx_int8 = has.amx_int8;
    dots.amx_bf16 = has.amx_bf16;
    if (has.amx_int8 || has.amx_bf16) add("amx", target, dots);
  }
  return levels;
}

Status UseNamed(const char* name) {
  if (name == nullptr || *name == '\0') return {};
  std::string known;
  for (const SimdLevel& level : SimdLevels()) {
    if (level.name == name) {
      UseSimdLevel(level);
      return {};
    }
    known += (known.empty() ? "" : ", ") + level.name;
  }
  return Usage("ANEMONE_SIMD is '{}', which this machine does not have; it has {}", name, known);
}

}  // namespace

const std::vector<SimdLevel>& SimdLevels() {
  static const std::vector<SimdLevel> levels = MakeLevels();
  return levels;
}

const DotInstructions& Dots() { return Current(); }

void UseSimdLevel(const SimdLevel& level) {
  hwy::SetSupportedTargetsForTest(level.targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  Current() = level.dots;
}

Status UseSimdOfEnvironment() {
  static const Status status = UseNamed(std::getenv("ANEMONE_SIMD"));
  return status;
}

}  // namespace anemone
