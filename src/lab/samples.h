// Samples: the inputs on which a sweep measures every variant: labeled photographs, a folder of
// photographs or .npy files, or seeded inputs when there is no data. Read and checked once, before
// any work starts; a digest over all contents tells two sets apart. Thread rules: immutable once
// made; any number of readers. Errors: kNotFound, kInvalidInput with the file and the rule; up to
// ten bad files are named at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/calibration.h"
#include "exec/tensor.h"
#include "ir/program.h"
#include "lab/evaluate.h"

namespace anemone::lab {

class Samples : public compress::CalibrationData {
 public:
  // Standard-normal inputs (exec/synthetic_inputs.h).
  static Result<Samples> Synthetic(const ir::Model& model, const ir::Function& function,
                                   int64_t count, uint64_t seed);
  // Photographs with labels; the function takes one input [1, 3, H, W].
  static Result<Samples> Labeled(const ir::Function& function, const std::string& directory,
                                 const std::vector<LabeledImage>& images,
                                 const Preprocess& preprocess, int64_t limit);
  // Every photograph (.png, .jpg, .jpeg) of a folder; or, for a function of one input, every .npy
  // file, of exactly the input's shape. In the order of their names. For a .txt file, the files
  // that it names, in its order.
  static Result<Samples> Folder(const ir::Function& function, const std::string& directory,
                                const Preprocess& preprocess, int64_t limit);

  int64_t count() const override { return static_cast<int64_t>(inputs_.size()); }
  Result<std::map<std::string, exec::Tensor>> Sample(int64_t index) const override {
    return inputs_[static_cast<size_t>(index)];
  }
  const std::map<std::string, exec::Tensor>& at(int64_t index) const {
    return inputs_[static_cast<size_t>(index)];
  }
  // Class indices, one for each sample; empty without labels.
  const std::vector<int64_t>& labels() const { return labels_; }
  const std::vector<std::string>& names() const { return names_; }
  // "100 labeled images", "8 seeded standard-normal inputs (seed 0)".
  const std::string& description() const { return description_; }
  // Over all values and labels.
  const std::string& sha256() const { return sha256_; }
  // Removes every `every`-th sample, from the middle of the first stride on, and returns these
  // samples for calibration, so that no sample both calibrates and judges. 2 or more.
  Samples SetAside(int64_t every);
  // `count` of the samples, spread evenly over all.
  Samples Subset(int64_t count) const;

 private:
  void Seal();

  std::vector<std::map<std::string, exec::Tensor>> inputs_;
  std::vector<int64_t> labels_;
  std::vector<std::string> names_;
  std::string description_;
  std::string sha256_;
};

}  // namespace anemone::lab
