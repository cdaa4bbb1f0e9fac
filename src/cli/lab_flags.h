// The flags of `anemone lab`, and the two ends of a sweep on other machines: a worker that runs
// jobs as they come, and the driver that hands jobs to Ray.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/command.h"
#include "lab/sweep.h"

namespace anemone::cli {

struct LabFlags {
  ModelFlags model;
  std::string target;  // empty: a package keeps its own, others get iOS17
  std::string precision;
  std::vector<std::string> keep_float32;
  std::string output;
  std::string config;
  double max_drop = -1;
  std::string images;
  std::string calibration;
  double hold_out = -1;  // below 0: as it is needed
  std::string labels;
  int resize = 0;
  double crop = 0.875;
  std::vector<float> mean{0.485f, 0.456f, 0.406f};
  std::vector<float> deviation{0.229f, 0.224f, 0.225f};
  std::string interpolation = "bicubic";
  int64_t limit = 0;
  int64_t samples = 16;
  uint64_t input_seed = 0;
  int64_t sensitivity_samples = 8;
  int refinements = 12;
  int jobs = 1;
  bool resume = false;
  std::string ray;
  bool worker = false;
  std::string backend = "cpu";
  bool no_fidelity = false;
};
void AddLabFlags(Command command, LabFlags& flags);
Result<lab::Preprocess> PreprocessOf(const LabFlags& flags);

// A worker: reads jobs from the standard input, one JSON object on a line, and answers each with
// one on the standard output, until the input ends. So a worker whose master died ends too.
Status WorkOnJobs(const lab::LabSubject& subject, const Globals& globals);
// The driver: enters jobs (as RunSweep does), and lets anemone.lab.ray_runner run all of the
// subject that are not finished.
Status RunOnRay(const lab::LabSubject& subject, lab::JobsDb& db, std::span<const lab::Job> jobs,
                int64_t first_position, const LabFlags& flags, const Globals& globals,
                Progress& progress);

}  // namespace anemone::cli
