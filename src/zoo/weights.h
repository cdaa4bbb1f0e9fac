// Weights: gives the builders their tensors by name. From a file, every request is checked and
// every problem recorded, so that Finish() can list them all; from a seed, every request makes the
// tensor. Thread rules: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acquire/weight_file.h"
#include "base/status.h"
#include "ir/type.h"

namespace anemone::zoo {

// The contents of a seeded tensor: value i is center[i] (or center[0] for all) plus uniform noise
// within +-spread. Uniform numbers need nothing but exact arithmetic, so the same seed gives the
// same bits on every machine.
struct Fill {
  std::vector<double> center;
  double spread = 0;
  // For [out, in, ...]: the weights from all inputs to one output sum to zero, so that a level
  // common to all inputs does not show in the output.
  bool balanced = false;

  static Fill Uniform(double center, double spread) { return {{center}, spread}; }
  static Fill Around(std::vector<double> center, double spread) {
    return {std::move(center), spread};
  }
};

class Weights {
 public:
  explicit Weights(acquire::WeightFile file) : file_(std::move(file)) {}
  explicit Weights(uint64_t seed) : seed_(seed) {}

  bool seeded() const { return !file_.has_value(); }
  uint64_t seed() const { return seed_; }
  // Whether the file has `name`; false when seeded.
  bool Has(const std::string& name) const { return file_ && file_->Find(name) != nullptr; }

  // The tensor `name`, row-major. Zeros, and a problem for Finish(), when it is missing or not
  // of `shape`.
  std::vector<double> Take(const std::string& name, const ir::Shape& shape, const Fill& fill);

  // From a file: an error that names every missing, unused, wrongly shaped or wrongly typed tensor.
  Status Finish() const;
  // Seeded: everything taken so far.
  std::vector<acquire::NamedTensor> made() const { return made_; }

 private:
  std::vector<double> FromFile(const std::string& name, const ir::Shape& shape, size_t count);
  std::vector<double> FromSeed(const std::string& name, const ir::Shape& shape, size_t count,
                               const Fill& fill);

  std::optional<acquire::WeightFile> file_;
  uint64_t seed_ = 0;
  std::set<std::string, std::less<>> taken_;
  std::vector<std::string> missing_;
  std::vector<std::string> wrong_;
  std::vector<acquire::NamedTensor> made_;
};

}  // namespace anemone::zoo
