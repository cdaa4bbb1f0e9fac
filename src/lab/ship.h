// Ship: the 8-bit variant that a lab would ship: weights of 8 bits per channel, rounded by how their
// inputs drive them, biases corrected, and as few operators as possible kept as they are so that
// every output stays within stated limits.
//
// All weights are tried in 8 bits first. If a limit is missed, the sensitivity of each weight is
// measured, and weights are kept wide in the order of loss for each byte that 8 bits save, until the
// limits hold or the room is used up. Three sets of inputs keep apart what learns and what judges:
// the subject's calibration samples teach the roundings, its samples decide what is kept, and
// whoever asks judges the result on others. Thread rules: as LabSubject; deterministic. Errors:
// kUsage when the subject has no calibration samples; those of running the model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "compress/report.h"
#include "lab/parity.h"
#include "lab/variant.h"

namespace anemone::lab {

struct ShipOptions {
  ParityLimits limits = kInt8Limits;
  // The part of the limits that the search may use: the judge has other inputs.
  double share = 0.8;
  // The most that all constants may take, in bytes; 0: any size.
  int64_t max_weight_bytes = 0;
  int64_t sensitivity_samples = 2;
  int threads = 0;
  std::function<bool()> cancelled = {};
  std::function<void(const std::string& what)> progress = {};
};

struct Shipped {
  compress::Configuration configuration;
  std::shared_ptr<ir::Model> model;
  compress::Report report;
  std::vector<std::string> kept;  // weights that keep their form, the most expensive first
  // The larger of the two errors of the worst output, as a part of its limit.
  double worst = 0;
  bool within = false;  // worst <= share
};

Result<Shipped> ShipInt8(const LabSubject& subject, const ShipOptions& options);

}  // namespace anemone::lab
