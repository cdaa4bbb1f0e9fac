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

// Of a verdict: written by Apple; measured with Core ML on the chip's generation; measured on
// another generation and carried over; read from the compiler or from hardware by other means;
// hearsay.
enum class Confidence : uint8_t {
  kDocumented,
  kMeasured,
  kInferred,
  kReverseEngineered,
  kHearsay,
};
std::string_view ConfidenceName(Confidence confidence);

// What a verdict stands on. A rule states kMeasured together with the generation that was measured
// (nullopt: the source does not tell); Place makes it kInferred for every other generation.
struct Evidence {
  std::string_view source = {};  // key of the table in docs/placement.md
  Confidence confidence = Confidence::kHearsay;
  std::optional<AneFamily> measured_on = std::nullopt;
};

struct Verdict {
  Support support = Support::kUnknown;
  bool expected = false;       // whether the unit is in the predicted set
  std::string_view rule = {};  // "conv_kernel_width"
  std::string reason = {};     // "kernel width 17 > 15"
  Evidence evidence = {};
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

  // Whether the chip is of the generation that M6 measured (on an M4), or of a later one, to which
  // its findings are carried over.
  bool follows_m4() const { return chip.at_least(AneFamily::kH16); }
  // What the kernels of the chip's generation are known from: plans on M4, or for earlier chips the
  // compiler's tables.
  Evidence evidence() const;
  // Whether an argument is given and only the run time knows it.
  bool IsDynamic(std::string_view param) const;
  // A known integer, or `otherwise`.
  int64_t IntOr(std::string_view param, int64_t otherwise) const;
};

using AneFn = Verdict (*)(const Query& query);

// What kind of work the operator is to the latency model, see workload.h.
enum class WorkKind : uint8_t {
  kUnset,
  kNone,  // no unit does it (Others::kNobody)
  kConv,
  kMatmul,
  kElementwise,
  kMovement,
  kReduction,
};

// Which of its answers the segmenter follows for the operator, see segmenter_beliefs.h.
enum class BeliefKind : uint8_t {
  kUnset,
  kMemory,
  kConv,
  kMatmul,
  kRelu,
  kConcat,
  kTranspose,
  kBilinear,
  kAttention,
  kClassicCpu,  // BNNS lacks it, as far as anything is published
  kNone,        // no tree for the Neural Engine
};

// Which units beside the Neural Engine take the operator.
enum class Others : uint8_t { kGpuAndCpu, kCpuOnly, kNobody, kUnknownGpu };

struct PlaceRule {
  std::string_view op;
  AneFn ane;
  WorkKind work = WorkKind::kUnset;        // every rule sets it
  BeliefKind belief = BeliefKind::kUnset;  // and this
  Others others = Others::kGpuAndCpu;
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
  WorkKind work = WorkKind::kElementwise;
  BeliefKind belief = BeliefKind::kMemory;

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

inline constexpr Evidence kMeasuredM4{kM6, Confidence::kMeasured, AneFamily::kH16};
inline constexpr Evidence kTables{kGuide, Confidence::kReverseEngineered};
inline constexpr Evidence kStrings{kValidator, Confidence::kReverseEngineered};

Verdict Yes(std::string_view rule, Evidence evidence, std::string reason = {});
Verdict No(std::string_view rule, Evidence evidence, std::string reason, std::string rewrite = {});
Verdict Maybe(std::string_view rule, bool expected, Evidence evidence, std::string reason,
              std::string rewrite = {});
Verdict Unknown(std::string_view rule, std::string reason);
// Supported on every chip, with Query::evidence().
Verdict YesEverywhere(const Query& query);
// The same, with a caution that bars nothing.
Verdict YesBut(const Query& query, std::string_view rule, Evidence evidence, std::string caution,
               std::string rewrite = {});
// No kernel on any chip.
Verdict NoKernel(const Query& query);

}  // namespace anemone::placement
