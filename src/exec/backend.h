// The backend interface: four calls (available, load, run, unload) that the CPU executor and Core
// ML implement alike.
//
// Ownership: a Session owns its buffers and shares the model and the plan with other sessions.
// Unloading is destroying. Thread rules: Backend is immutable and shared. A Session serves one call
// at a time; any number of sessions of one model run at once. A Tracer is called on the calling
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::exec {

// How float results are rounded. Sums are always accumulated in float32 or wider.
enum class Numerics : uint8_t {
  kAsTyped,  // results that the program declares fp16 are rounded to half; others stay float32
  kFloat32,  // nothing is rounded: the damage of the weights alone
  kFloat16,  // every float result is rounded to half
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

struct LoadOptions {
  std::string function;  // empty: the default function
  Numerics numerics = Numerics::kAsTyped;
  int threads = 0;  // 0: one for each core
};

// Values of the states by name, kept between calls; made by the first call that uses it.
using State = std::map<std::string, Tensor>;

class Session {
 public:
  virtual ~Session() = default;
  // `inputs` by feature name; fp16 features are given as float32. Returns the outputs by name.
  // `state` and `tracer` may be null. Errors: a missing, left-over or misshapen input is kUsage
  // (the caller's mistake).
  virtual Result<std::map<std::string, Tensor>> Run(const std::map<std::string, Tensor>& inputs,
                                                    State* state, const Tracer* tracer) = 0;
  // Bytes of working memory that this session holds (weights not included), for reports.
  virtual int64_t working_memory_bytes() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "cpu", "coreml"
  // OK, or why it cannot run here (kUnavailable).
  virtual Status Available() const = 0;
  // Plans or compiles the model. The session keeps `model` alive.
  virtual Result<std::unique_ptr<Session>> Load(std::shared_ptr<const ir::Model> model,
                                                const LoadOptions& options) const = 0;
};

}  // namespace anemone::exec
