// The backend interface: four calls (available, load, run, unload) that the CPU executor and Core
// ML both implement.
//
// Ownership: an Executable owns its buffers and shares the model and the plan with the others of
// the model. Unloading is destroying. Thread rules: Backend is immutable and shared. An Executable
// serves one call at a time; any number of one model's run at once. A Tracer is called on the
// calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/compute_unit.h"
#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::exec {

// How float results are rounded. Sums are always accumulated in float32 or wider.
enum class Numerics : uint8_t {
  kAsTyped,  // results that the program declares fp16 are rounded to half; others stay float32
  kFloat32,  // nothing is rounded: the damage of the weights alone
  kFloat16,  // every float result is rounded to half
  // Nothing is rounded but what convolutions and linear layers multiply: to bfloat16. Only where the
  // machine multiplies such numbers; for speed.
  kBfloat16,
};

// What one operation did. `outputs` is empty unless the tracer asks for values.
struct TraceEvent {
  // The operation, or the last one of a fused group; null for work that belongs to none (a change
  // of layout), which reports no outputs.
  const ir::Operation* operation = nullptr;
  std::string_view kernel;                           // which kernel ran ("conv_nhwc", "reference")
  std::span<const ir::Operation* const> fused = {};  // the group, first to last; empty when alone
  int64_t begin_ns = 0;                              // since the start of the call
  int64_t duration_ns = 0;
  std::span<const ConstTensor> outputs = {};  // row-major as the program declares them, NCHW
};

struct Tracer {
  // Wants the values of every operation: fusion and layout changes are off while it listens.
  bool values = false;
  std::function<void(const TraceEvent&)> on_operation;
};

// What Core ML may assume to run faster (MLOptimizationHints); other backends ignore it.
struct OptimizationHints {
  bool infrequent_reshape = false;  // input shapes seldom change from call to call
  bool fast_prediction = false;     // a longer first load for faster predictions
  friend bool operator==(const OptimizationHints&, const OptimizationHints&) = default;
};

struct LoadOptions {
  std::string function;  // empty: the default function
  Numerics numerics = Numerics::kAsTyped;
  int threads = 0;                                  // 0: one for each core
  ComputeUnits compute_units = ComputeUnits::kAll;  // that Core ML may use; others ignore it
  // Where the model was read from; empty when it exists in memory only. A backend that needs files
  // (Core ML) compiles that package, or else writes one.
  std::string package_path = {};
  // Where compiled models are kept between processes; empty: nothing is kept.
  std::string cache_dir = {};
  OptimizationHints hints = {};
};

// Values of the states by name, kept between calls; made by the first call that uses it. A float16 state
// holds halves, as floats. A call that fails leaves all values as they were. The tensors may share
// their memory with copies of the map, which keep their values: a call that would change them there
// changes its own.
using State = std::map<std::string, Tensor>;

// A tensor in the caller's memory, bound to a feature for one call.
struct BoundInput {
  std::string_view name;
  ConstTensor tensor;
};
struct BoundOutput {
  std::string_view name;
  MutableTensor tensor;
};

// The kUsage error of a binding that does not fit `result`.
Error WrongBinding(const BoundOutput& bound, const ConstTensor& result);
// Copies a result to the caller's memory; WrongBinding when it does not fit.
Status CopyToBinding(const Tensor& result, const BoundOutput& bound);

class Executable {
 public:
  virtual ~Executable() = default;
  // `inputs` by feature name; fp16 features are given as float32. Returns the outputs by name.
  // `state` and `tracer` may be null. Errors: a missing, left-over or misshapen input is kUsage
  // (the caller's mistake).
  virtual Result<std::map<std::string, Tensor>> Run(const std::map<std::string, Tensor>& inputs,
                                                    State* state, const Tracer* tracer) = 0;
  // The same on the caller's memory: reads the bound inputs, writes the bound outputs. Outputs that
  // are not bound are not returned. kUsage when a bound output does not exist or has another dtype
  // or shape than the result; then the contents of the outputs are undefined. The base class copies
  // through Run; a backend that can avoid that does.
  virtual Status RunBound(std::span<const BoundInput> inputs, std::span<const BoundOutput> outputs,
                          State* state, const Tracer* tracer);
  // Bytes of working memory that this executable holds (weights not included), for reports.
  virtual int64_t working_memory_bytes() const = 0;
};

// Where a backend says that it would run one operation. A plan, never an observation.
struct PlannedOperation {
  std::string type;    // "ios17.conv"
  std::string output;  // the name of its first output
  ComputeUnit unit = ComputeUnit::kUnknown;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "cpu", "coreml"
  // Whether the work is done by a system that is not ours: it may hang, crash or be wrong, and
  // chooses among compute units by itself. Sessions guard such a backend with deadlines, a circuit
  // breaker and a fallback.
  virtual bool external() const { return false; }
  // OK, or why it cannot run here (kUnavailable).
  virtual Status Available() const = 0;
  // Plans or compiles the model. The executable keeps `model` alive.
  virtual Result<std::unique_ptr<Executable>> Load(std::shared_ptr<const ir::Model> model,
                                                   const LoadOptions& options) const = 0;
  // What the backend plans for each operation but constants. kUnavailable where it makes no plan.
  virtual Result<std::vector<PlannedOperation>> Plan(std::shared_ptr<const ir::Model> model,
                                                     const LoadOptions& options,
                                                     int64_t timeout_ns) const;
};

}  // namespace anemone::exec
