// Facts about placement for a model's manifest: coverage of the Neural Engine and expected
// speed-ups over the CPU on M1, M2 and M3. Estimates with intervals; absent where nothing is known.
// Thread rules: pure functions.
#pragma once

#include "base/status.h"
#include "ir/model.h"
#include "lab/manifest.h"
#include "placement/analyze.h"

namespace anemone::lab {

// Fills the four estimates of `manifest` for the model's default function.
//
// Coverage is the share of operators, constants left out, that Core ML is expected to give to the
// Neural Engine: the smallest of the three chips, in an interval from the smallest share that all
// rules are sure of to the largest that any rule admits.
Status AddPlacementFacts(const ir::Model& model, Manifest* manifest);
// This share for one chip.
Estimate CoverageOf(const placement::Analysis& analysis);

}  // namespace anemone::lab
