// Dispatch by measurement: which units (an external backend) or how many threads (Anemone's own
// executor)
// run this model fastest on this machine. `all` can be slower than one device alone, and two
// threads slower than one for a small network; only measuring tells. The answer is remembered in a
// folder by model, backend, chip, OS build and tool version. Thread rules: pure functions; when two
// processes measure at once both write, and the last one wins. Errors: those of the backend when no
// candidate runs; a damaged file is measured again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"

namespace anemone::runtime {

struct DispatchOptions {
  std::string state_dir = {};   // empty: measured each time
  std::string model_hash = {};  // required to remember
  int rounds = 5;               // candidates take turns; medians are over all rounds
  int64_t round_ns = 30'000'000;
  int64_t load_timeout_ns = 0;  // of an external backend, as RouteOptions
  int64_t predict_timeout_ns = 0;
};

struct DispatchMeasurement {
  std::string label;                 // "threads=2", "cpu_and_ne"
  std::optional<int64_t> median_ns;  // null when it did not run
  std::string error;                 // why it did not run
};

struct DispatchChoice {
  exec::LoadOptions load;  // the base options with the winner's setting
  std::string label;
  bool remembered = false;                    // read from the folder, not measured
  std::vector<DispatchMeasurement> measured;  // when remembered: the earlier measurements
};

// Chooses on seeded inputs. kUnsupported when the model's shapes are dynamic.
Result<DispatchChoice> ChooseDispatch(const exec::Backend& backend,
                                      std::shared_ptr<const ir::Model> model,
                                      const exec::LoadOptions& base,
                                      const DispatchOptions& options = {});

}  // namespace anemone::runtime
