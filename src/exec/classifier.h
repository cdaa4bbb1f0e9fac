// Classifiers as tensors. A program that ends in `classify` returns the name of a class (a string
// or an int64) and a dictionary from each class to its probability, and neither is a tensor. At run
// time both cross every border of the library as tensors: the label as the index of its class
// (int32, rank 0), the dictionary as float32 [classes], in the order of the program's list. Classes
// gives the names back.
//
// Ownership: values. Thread rules: pure functions. Where two classes are equally likely, the first
// one is the label.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::exec {

struct Classes {
  std::string label;          // the output with the label; empty when the function has none
  std::string probabilities;  // the output with the probabilities; empty when none
  bool integers = false;      // the names stand for int64 labels
  std::vector<std::string> names;
};

// The classes of a function whose outputs come from `classify`; nullopt for any other function.
std::optional<Classes> ClassesOf(const ir::Function& function);

// The same model with the outputs of its classifiers as tensors; `model` itself when it has none.
// It shares the bytes of the weights.
Result<std::shared_ptr<const ir::Model>> WithTensorOutputs(std::shared_ptr<const ir::Model> model);

}  // namespace anemone::exec
