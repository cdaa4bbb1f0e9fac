// Placement rules: for one operation on one chip, which compute units take it, and why. The rules
// of an operator stand in ops/<family>/place.cc; what holds for every operator (float32, int32,
// rank, sizes, dynamic shapes) is in conditions.cc. Apple publishes no list, so that each verdict
// is a prediction with its source and confidence.
//
// Thread rules: pure functions over immutable data. Ownership: verdicts own their texts; rule keys
// and sources point to static strings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/compute_unit.h"
#include "ir/op_def.h"
#include "ir/program.h"
#include "placement/chip.h"

namespace anemone::ir {
class RuntimeValues;
}

namespace anemone::placement {

// kConditional: it depends on what the program does not tell, or the sources disagree; `expected`
// of the verdict is then the better guess. kUnknown: no evidence.
enum class Support : uint8_t { kSupported, kUnsupported, kConditional, kUnknown };
std::string_view SupportName(Support support);

// Of the rule: written by Apple; measured with Core ML; read from the compiler or from hardware by
// other means; hearsay.
enum class Confidence : uint8_t { kDocumented, kMeasured, kReverseEngineered, kHearsay };
std::string_view ConfidenceName(Confidence confidence);

struct Verdict {
  Support support = Support::kUnknown;
  bool expected = false;         // whether the unit is in the predicted set
  std::string_view rule = {};    // "conv_kernel_width"
  std::string reason = {};       // "kernel width 17 > 15"
  std::string_view source = {};  // key of the table in docs/placement.md
  Confidence confidence = Confidence::kHearsay;
  std::string rewrite = {};  // what to do about it, when something is known to help
};

// Shapes that change from call to call, as the model's interface declares them.
enum class FlexibleShapes : uint8_t { kNone, kEnumerated, kRange };

// What a rule sees.
struct Query {
  const ir::OpArgs& args;
  std::span<const ir::Type> outputs;
  const Chip& chip;
  FlexibleShapes flexible = FlexibleShapes::kNone;
  const ir::RuntimeValues* runtime = nullptr;  // of the whole program, where known

  bool on_m4() const { return chip.at_least(AneFamily::kH16); }
  // Whether an argument is given and only the run time knows it.
  bool IsDynamic(std::string_view param) const;
  // A known integer, or `otherwise`.
  int64_t IntOr(std::string_view param, int64_t otherwise) const;
};

using AneFn = Verdict (*)(const Query& query);

// How the segmenter estimates the operator, see segmenter_beliefs.h.
enum class EstimateKind : uint8_t {
  kMemory,
  kConv,
  kMatmul,
  kRelu,
  kConcat,
  kTranspose,
  kBilinear,
  kAttention,
  kNone,  // no tree for the Neural Engine
};

// Which units beside the Neural Engine take the operator.
enum class Others : uint8_t { kGpuAndCpu, kCpuOnly, kNobody, kUnknownGpu };

struct PlaceRule {
  std::string_view op;
  AneFn ane;
  Others others = Others::kGpuAndCpu;
  EstimateKind estimate = EstimateKind::kMemory;
  // Its int32 results do not bar it (topk).
  bool int32_outputs_allowed = false;
  // Converts between dtypes, so that the checks of dtypes are its own.
  bool own_dtypes = false;
};

struct OpPlacement {
  bool placed = true;  // false for constants, which have no unit
  Verdict ane;
  Verdict gpu;
  Verdict cpu;
  EstimateKind estimate = EstimateKind::kMemory;

  // Of a piece of hardware.
  const Verdict& of(ComputeUnit unit) const {
    return unit == ComputeUnit::kAne ? ane : unit == ComputeUnit::kGpu ? gpu : cpu;
  }
};

// The rule of an operator, or null. Defined by the op table (src/ops/registry.cc).
const PlaceRule* FindPlaceRule(std::string_view op);
std::span<const PlaceRule* const> AllPlaceRules();  // sorted by operator

// Runs the operator's own rule and the conditions of every operator. `runtime` has visited all
// operations so far; null: the graph above is searched for each question.
OpPlacement Place(const ir::Operation& operation, ir::Opset opset, const Chip& chip,
                  FlexibleShapes flexible = FlexibleShapes::kNone,
                  const ir::RuntimeValues* runtime = nullptr);

// The conditions that hold for every operator; nullopt when none bars it.
std::optional<Verdict> CheckConditions(const Query& query, const PlaceRule& rule);

// Whether weights are stored with a scale for each block along the input, not one for each output
// channel or one for all. `decompressor`: the constexpr operation that makes them.
bool HasPerBlockScales(const ir::Operation& decompressor);

// ---- verdicts, for the rules ----

// Sources; docs/placement.md says what each is.
inline constexpr std::string_view kM6 = "M6";
inline constexpr std::string_view kGuide = "GUIDE";
inline constexpr std::string_view kValidator = "ANE validator";
inline constexpr std::string_view kApple = "Apple";
inline constexpr std::string_view kCoremltools = "coremltools";

struct Evidence {
  std::string_view source;
  Confidence confidence;
};
inline constexpr Evidence kMeasuredM4{kM6, Confidence::kMeasured};
inline constexpr Evidence kTables{kGuide, Confidence::kReverseEngineered};
inline constexpr Evidence kStrings{kValidator, Confidence::kReverseEngineered};

Verdict Yes(std::string_view rule, Evidence evidence, std::string reason = {});
Verdict No(std::string_view rule, Evidence evidence, std::string reason, std::string rewrite = {});
Verdict Maybe(std::string_view rule, bool expected, Evidence evidence, std::string reason,
              std::string rewrite = {});
Verdict Unknown(std::string_view rule, std::string reason);
// Supported on every chip: measured on H16, read from tables for the others.
Verdict YesEverywhere(const Query& query);
// The same, with a caution that bars nothing.
Verdict YesBut(const Query& query, std::string_view rule, Evidence evidence, std::string caution,
               std::string rewrite = {});
// No kernel on any chip.
Verdict NoKernel(const Query& query);

}  // namespace anemone::placement
