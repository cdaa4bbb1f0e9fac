// CalibrationFolder: the files of one directory as calibration inputs: images (.png, .jpg, .jpeg)
// for a model with one image-like input [1, 3, height, width], .npy for a model with one input,
// .npz with an array for each input; or a .txt file that names such files, one a line. Files are
// read one at a time, in the order of their names (of the list).
// Thread rules: immutable. Errors: kNotFound and kInvalidInput name the file, and the shape that
// the model takes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/npy.h"
#include "compress/calibration.h"
#include "ir/model.h"
#include "lab/evaluate.h"

namespace anemone::facade {

class CalibrationFolder final : public compress::CalibrationData {
 public:
  // `limit`: at most that many files, evenly spread; 0: all.
  static Result<std::unique_ptr<CalibrationFolder>> Open(const std::string& directory,
                                                         const ir::Model& model,
                                                         const lab::Preprocess& preprocess,
                                                         int64_t limit);

  int64_t count() const override { return static_cast<int64_t>(files_.size()); }
  Result<std::map<std::string, exec::Tensor>> Sample(int64_t index) const override;

 private:
  struct Input {
    std::string name;
    DType dtype = DType::kFp32;
    ir::Shape shape;
    bool image = false;  // an image feature: pixels from 0 to 255
  };
  Result<exec::Tensor> FromArray(const NpyArray& array, const Input& input) const;

  std::vector<std::string> files_;
  std::vector<Input> inputs_;
  lab::Preprocess preprocess_;
};

}  // namespace anemone::facade
