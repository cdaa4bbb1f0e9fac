// Report: everything that a lab found, as lab.json and as lab.html, one page that needs no network:
// the same document with a script (src/lab/report/) that draws it. Nothing in it depends on when or
// how fast it was made. Thread rules: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "lab/fidelity.h"
#include "lab/search.h"
#include "lab/sensitivity.h"
#include "lab/sweep.h"
#include "lab/weight_histogram.h"

namespace anemone::lab {

struct LabReport {
  std::string model;
  std::string tool_version;
  std::string deployment_target;
  std::string precision;  // of the base: "float16", "float32"
  std::string backend;
  std::string samples;      // Samples::description
  std::string calibration;  // of the calibration samples; empty: none
  // Each sample and its use.
  struct Sample {
    std::string name;
    std::optional<int64_t> label = {};
    bool learned_from = false;  // false: used to judge
  };
  std::vector<Sample> sample_list;
  std::string subject;  // LabSubject::sha256
  std::string base_sha256;
  std::optional<Budget> budget;
  std::optional<VariantResult> base;  // the empty configuration's
  std::vector<Finished> variants;     // each variant once
  std::string chosen;                 // name of the variant; empty: none
  std::vector<WeightSensitivity> sensitivity;
  std::vector<WeightHistogram> weights;
  std::optional<Fidelity> fidelity;
};

// Tells which variants no other beats: smaller and no worse, or as small and better. Compares by
// the drop if `base` has one, then by the loss.
std::vector<bool> ParetoFront(const std::vector<Finished>& variants,
                              const std::optional<VariantResult>& base);

// The document "anemone.lab".
std::string LabJson(const LabReport& report);
// The page around such a document.
std::string LabHtml(const std::string& lab_json);

}  // namespace anemone::lab
