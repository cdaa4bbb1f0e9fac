// Calibrate: runs a model on calibration inputs once and gathers the requested statistics. Thread
// rules: one thread. Errors: those of a sample or the session; kUsage when there are no samples.
#pragma once

#include <set>
#include <string>

#include "compress/activations.h"
#include "compress/calibration.h"

namespace anemone::compress {

using SampleProgress = std::function<void(std::string_view what, int64_t done, int64_t total)>;

// Runs every sample through the default function of `model` and calls `visit` with each float value
// by name: the inputs, then every result. The tensors live for the call only.
Status ForEachActivation(
    const ir::Model& model, const Calibration& calibration, const SampleProgress& progress,
    const std::function<bool()>& cancelled,
    const std::function<void(const std::string& name, const exec::ConstTensor& tensor)>& visit);

// Observes the named values.
Result<Observers> ObserveActivations(const ir::Model& model, const Calibration& calibration,
                                     const std::set<std::string>& names, bool histogram,
                                     const SampleProgress& progress,
                                     const std::function<bool()>& cancelled);

}  // namespace anemone::compress
