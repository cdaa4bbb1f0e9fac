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

void AddLabFlags(Command command, LabFlags& flags) {
  AddModelFlags(command, flags.model, false);
  command
      .AddOption("-o,--output", flags.output,
                 "folder for lab.html, lab.json, lab.sqlite and chosen.json")
      .Required();
  command.AddOption("--config", flags.config,
                    R"(a file {"variants": [{"name": ..., "configuration": ...}]}; the uniform )"
                    "forms of the target when absent");
  command
      .AddOption("--max-drop", flags.max_drop,
                 "search the smallest mix that loses at most so many percent: of top-1 with "
                 "labels, else of agreement with the reference")
      .Range(0.0, 100.0);
  command.AddOption("--minimum-deployment-target", flags.target,
                    "iOS15 to iOS18, or macOS12 to macOS15; a package keeps its own by default");
  command.AddOption("--compute-precision", flags.precision,
                    "of the base that is compressed: float16 (the default but for packages) or "
                    "float32");
  command.AddOption("--keep-float32", flags.keep_float32,
                    "operators to keep in float32: regular expressions over names, or types");
  command.AddOption("--images", flags.images,
                    "folder of photographs or of .npy files; seeded inputs when absent");
  command.AddOption("--labels", flags.labels, "CSV with the columns file and class_index");
  command.AddOption("--calibration", flags.calibration,
                    "folder (or .txt list) of other photographs or .npy files to learn from "
                    "(weighted palettes, gptq, adaround, bias correction, activations)");
  command
      .AddOption("--hold-out", flags.hold_out,
                 "without --calibration: the share of the samples to learn from, which are then "
                 "not judged by; by default 0.25 with --max-drop and --images")
      .Range(-1.0, 0.5);
  command.AddOption("--limit", flags.limit, "use only the first N files").NotNegative();
  command
      .AddOption("--resize", flags.resize,
                 "with --crop in pixels: resize the shorter side to this first")
      .ShowDefault();
  command
      .AddOption("--crop", flags.crop,
                 "center crop: a share of the shorter side up to 1, then resized to the input; or "
                 "pixels")
      .ShowDefault();
  command.AddOption("--mean", flags.mean, "three channel means of values in 0 to 1")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--std", flags.deviation, "three channel deviations")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--interpolation", flags.interpolation, "box, bilinear, bicubic or lanczos")
      .ShowDefault();
  command.AddOption("--samples", flags.samples, "how many seeded inputs")
      .ShowDefault()
      .Range(1, 100000);
  command.AddOption("--input-seed", flags.input_seed, "seed of those inputs").ShowDefault();
  command
      .AddOption("--sensitivity-samples", flags.sensitivity_samples,
                 "samples that sensitivities are measured on, spread over all")
      .ShowDefault()
      .Range(1, 100000);
  command
      .AddOption("--refinements", flags.refinements,
                 "evaluations that the search may spend on single steps")
      .ShowDefault()
      .Range(0, 1000);
  command.AddOption("--jobs", flags.jobs, "variants to work on at once")
      .ShowDefault()
      .Range(1, 1024);
  command.AddFlag("--resume", flags.resume, "go on with the lab in the folder");
  command.AddOption(
      "--ray", flags.ray,
      "run the sweep on a Ray cluster: its address; auto (the one that runs here, else one "
      "of this machine alone); or local");
  command.AddOption("--backend", flags.backend, "auto, cpu, coreml or reference").ShowDefault();
  command.AddFlag("--no-fidelity", flags.no_fidelity, "skip the diagnosis of half precision");
  // For workers; no part of the interface.
  command.AddFlag("--worker", flags.worker, "").Hide();
  command.Footer(
      "Example: anemone lab model.onnx -o lab --max-drop 0.5 --images photos --labels "
      "photos/labels.csv");
}

}  // namespace anemone::cli
