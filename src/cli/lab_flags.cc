#include "cli/lab_flags.h"

namespace anemone::cli {

Result<lab::Preprocess> PreprocessOf(const LabFlags& flags) {
  lab::Preprocess preprocess;
  preprocess.resize = flags.resize;
  preprocess.crop = flags.crop;
  if (flags.mean.size() != 3 || flags.deviation.size() != 3)
    return Usage("--mean and --std take three numbers");
  for (size_t i = 0; i < 3; ++i) {
    if (flags.deviation[i] == 0) return Usage("--std must not be zero");
    preprocess.mean[i] = flags.mean[i];
    preprocess.deviation[i] = flags.deviation[i];
  }
  const auto filter = media::FilterFromName(flags.interpolation);
  if (!filter) {
    return Usage("unknown interpolation '{}'", flags.interpolation)
        .Advise("choose box, bilinear, bicubic or lanczos");
  }
  preprocess.filter = *filter;
  return preprocess;
}

void AddLabFlags(CLI::App& command, LabFlags& flags) {
  AddModelFlags(command, flags.model, false);
  command
      .add_option("-o,--output", flags.output,
                  "folder for lab.html, lab.json, lab.sqlite and chosen.json")
      ->required();
  command.add_option("--config", flags.config,
                     R"(a file {"variants": [{"name": ..., "configuration": ...}]}; the uniform )"
                     "forms of the target when absent");
  command
      .add_option("--max-drop", flags.max_drop,
                  "search the smallest mix that loses at most so many percent: of top-1 with "
                  "labels, else of agreement with the reference")
      ->check(CLI::Range(0.0, 100.0));
  command.add_option("--minimum-deployment-target", flags.target,
                     "iOS15 to iOS18, or macOS12 to macOS15; a package keeps its own by default");
  command.add_option("--compute-precision", flags.precision,
                     "of the base that is compressed: float16 (the default but for packages) or "
                     "float32");
  command.add_option("--keep-float32", flags.keep_float32,
                     "operators to keep in float32: regular expressions over names, or types");
  command.add_option("--images", flags.images,
                     "folder of photographs or of .npy files; seeded inputs when absent");
  command.add_option("--labels", flags.labels, "CSV with the columns file and class_index");
  command.add_option("--limit", flags.limit, "use only the first N files")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--resize", flags.resize,
                  "with --crop in pixels: resize the shorter side to this first")
      ->capture_default_str();
  command
      .add_option("--crop", flags.crop,
                  "centre crop: a share of the shorter side up to 1, then resized to the input; or "
                  "pixels")
      ->capture_default_str();
  command.add_option("--mean", flags.mean, "three channel means of values in 0 to 1")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--std", flags.deviation, "three channel deviations")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--interpolation", flags.interpolation, "box, bilinear, bicubic or lanczos")
      ->capture_default_str();
  command.add_option("--samples", flags.samples, "how many seeded inputs")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command.add_option("--input-seed", flags.input_seed, "seed of those inputs")
      ->capture_default_str();
  command
      .add_option("--sensitivity-samples", flags.sensitivity_samples,
                  "samples that sensitivities are measured on, spread over all")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command
      .add_option("--refinements", flags.refinements,
                  "evaluations that the search may spend on single steps")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  command.add_option("--jobs", flags.jobs, "variants to work on at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command.add_flag("--resume", flags.resume, "go on with the lab in the folder");
  command.add_option("--ray", flags.ray,
                     "run the sweep on a Ray cluster: its address, auto, or local");
  command.add_option("--backend", flags.backend, "auto, cpu, coreml or reference")
      ->capture_default_str();
  command.add_flag("--no-fidelity", flags.no_fidelity, "skip the diagnosis of half precision");
  // For workers; no part of the interface.
  command.add_option("--run-jobs", flags.run_jobs)->group("");
  command.footer(
      "Example: anemone lab model.onnx -o lab --max-drop 0.5 --images photos --labels "
      "photos/labels.csv");
}

}  // namespace anemone::cli
