// Evaluate: top-1 and top-5 of a classifier over labeled photographs, and agreement with a
// reference model. The pictures go through exactly Pillow's arithmetic, so results agree with
// Python pipelines to the image. Thread rules: uses one executable for each model, one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "anemone/options.h"
#include "anemone/tools.h"
#include "base/status.h"
#include "exec/backend.h"
#include "media/image.h"
#include "media/resize.h"

namespace anemone::lab {

struct Preprocess {
  // At most 1: the center square of that share of the shorter side (rounded down) is cut out and
  // resized to the network's input. More than 1: pixels of the square cut out after `resize`. 0: no
  // crop.
  double crop = 0.875;
  // With a crop in pixels: the shorter side is resized to this first; 0 leaves the picture as it
  // is.
  int resize = 0;
  std::array<float, 3> mean = kImageNetMean;
  std::array<float, 3> deviation = kImageNetDeviation;
  media::Filter filter = media::Filter::kBicubic;
};

// The picture as the input [1, 3, height, width] of `shape`.
Result<exec::Tensor> PrepareImage(media::Image image, const ir::Shape& shape,
                                  const Preprocess& how);
Result<exec::Tensor> PrepareImage(const std::string& path, const ir::Shape& shape,
                                  const Preprocess& how);

struct LabeledImage {
  std::string file;
  int64_t label = 0;
};
// CSV with a header line that names the columns "file" and "class_index" (any order; others are
// ignored).
Result<std::vector<LabeledImage>> ReadLabels(const std::string& csv_path);

struct EvaluateOptions {
  Preprocess preprocess;
  int64_t limit = 0;  // 0: all
  std::function<void(int64_t done, int64_t total)> progress = {};
  std::function<bool()> cancelled = {};  // asked before each image; true ends with kCancelled
};

struct Evaluation {
  int64_t images = 0;
  int64_t top1 = 0;
  int64_t top5 = 0;
  int64_t agree_with_reference = 0;
  bool has_reference = false;
  std::vector<EvaluateResult::Row> rows;

  double top1_accuracy() const {
    return images == 0 ? 0 : static_cast<double>(top1) / static_cast<double>(images);
  }
  double top5_accuracy() const {
    return images == 0 ? 0 : static_cast<double>(top5) / static_cast<double>(images);
  }
};

// `executable` and `reference` (may be null) take one image input [1, 3, H, W] (`function` says
// which); the scores are the output "logits" or "probabilities", or the only output.
Result<Evaluation> Evaluate(exec::Executable& executable, exec::Executable* reference,
                            const ir::Function& function, const std::string& image_directory,
                            const std::vector<LabeledImage>& images,
                            const EvaluateOptions& options);

// The output that ranks classes: "logits", "probabilities", or the only one.
Result<const exec::Tensor*> ScoresOf(const std::map<std::string, exec::Tensor>& outputs);
// Classes of the best five scores (fewer when there are fewer); ties go to the lower class.
Result<std::vector<int64_t>> BestFive(const exec::Tensor& scores);

}  // namespace anemone::lab
