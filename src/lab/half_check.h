// HalfCheck: what half precision does to a program's answers. The float32 program runs once on each
// sample; any number of float16 forms of it are then run on the same samples and compared output by
// output. Beside the differences it finds what no difference may excuse: NaN or infinity where
// float32 has a number, and an output that is the same for every sample where float32 tells the
// samples apart.
//
// Ownership: owns its samples and the float32 outputs. Thread rules: Judge may be called from one
// thread at a time; uses the backend's threads. Errors: those of loading and running a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "lab/parity.h"
#include "lab/verify.h"

namespace anemone::lab {

// One output of a float16 form beside float32, over all samples.
struct HalfOutput {
  std::string name;
  bool floats = false;
  Parity parity;
  double differing = 0;   // integers: the share that differs; how far says nothing of indices
  bool constant = false;  // float32 tells the samples apart, and float16 does not
};

struct HalfOutcome {
  std::vector<HalfOutput> outputs;  // in the function's order
  // The largest difference of a float output, divided by its range (by its largest magnitude when
  // all its values are the same), or of integers the share that differs, when it is more than a
  // tenth; infinite when `failure` is set.
  double worst = 0;
  // What may not be written: "the output 'y' holds 12 NaN or infinite values where float32 has
  // none". Empty when nothing is wrong.
  std::string failure;
  std::string worst_output;    // whose difference `worst` is; empty when it is 0
  bool worst_differs = false;  // that output holds integers
};

class HalfCheck {
 public:
  // Runs `single`, a program that computes in float32, on every sample. `function` may be empty.
  static Result<HalfCheck> Make(const exec::Backend& backend,
                                std::shared_ptr<const ir::Model> single, std::string function,
                                std::vector<Inputs> samples, int threads);

  // Runs a form of the program on the first `samples` of them (0: all) and compares.
  Result<HalfOutcome> Judge(std::shared_ptr<const ir::Model> half, size_t samples = 0) const;

  const exec::Backend& backend() const { return *backend_; }
  const std::shared_ptr<const ir::Model>& single() const { return single_; }
  const std::string& function() const { return function_; }
  const std::vector<Inputs>& samples() const { return samples_; }
  int threads() const { return threads_; }

 private:
  const exec::Backend* backend_ = nullptr;
  std::shared_ptr<const ir::Model> single_;
  std::string function_;
  std::vector<Inputs> samples_;
  std::vector<std::map<std::string, exec::Tensor>> wanted_;  // by sample
  std::vector<std::string> outputs_;
  int threads_ = 0;
};

}  // namespace anemone::lab
