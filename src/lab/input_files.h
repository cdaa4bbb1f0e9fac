// InputFiles: files as inputs of a model: images (.png, .jpg, .jpeg) for a model with one input
// [1, 3, height, width], .npy for a model with one input, .npz with an array for each input. They
// come from a folder, in the order of their names, or from a .txt file that names them, one a line,
// relative to it, in its order. Read when asked for, one at a time.
//
// Thread rules: immutable but for Keep; any number of readers. Errors: kNotFound and
// kInvalidInput name the file, and the shape that the model takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "compress/calibration.h"
#include "exec/tensor.h"
#include "ir/model.h"
#include "lab/evaluate.h"

namespace anemone::lab {

bool IsImageFile(const std::string& path);
bool IsNpyFile(const std::string& path);

class InputFiles final : public compress::CalibrationData {
 public:
  // For the default function of `model`. `limit`: at most that many files, evenly spread; 0: all.
  // What the model declares as an image gets pixels from 0 to 255, whatever `preprocess` says.
  static Result<InputFiles> Open(const std::string& path, const ir::Model& model,
                                 const Preprocess& preprocess, int64_t limit);
  // All of them for `function`. `described`: which of its inputs are images; null: none.
  static Result<InputFiles> Open(const std::string& path, const ir::Function& function,
                                 const ir::FunctionDescription* described,
                                 const Preprocess& preprocess);

  int64_t count() const override { return static_cast<int64_t>(files_.size()); }
  Result<std::map<std::string, exec::Tensor>> Sample(int64_t index) const override {
    return Read(files_[static_cast<size_t>(index)]);
  }
  const std::vector<std::string>& files() const { return files_; }
  // Reads only these of its files from now on.
  void Keep(std::vector<std::string> files) { files_ = std::move(files); }
  // Whether the files are those of a list, and not of a folder.
  bool listed() const { return listed_; }

 private:
  struct Input {
    std::string name;
    ir::Type type;
    bool image = false;  // an image feature: pixels from 0 to 255
  };
  Result<std::map<std::string, exec::Tensor>> Read(const std::string& path) const;

  std::vector<std::string> files_;
  bool listed_ = false;
  std::vector<Input> inputs_;
  Preprocess preprocess_;
};

}  // namespace anemone::lab
