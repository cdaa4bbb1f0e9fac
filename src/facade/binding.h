// The caller's memory bound to features by name: the contents of a Binding of the C++ and the C
// interface. Ownership: borrows the memory, owns the names. Thread rules: one call at a time.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exec/backend.h"

namespace anemone::facade {

struct BoundMemory {
  std::vector<exec::BoundInput> inputs;
  std::vector<exec::BoundOutput> outputs;

  void BindInput(const std::string& name, DType dtype, ir::Shape shape, const void* data) {
    Find(inputs, name).tensor = {dtype, std::move(shape), data};
  }
  void BindOutput(const std::string& name, DType dtype, ir::Shape shape, void* data) {
    Find(outputs, name).tensor = {dtype, std::move(shape), data};
  }

 private:
  template <typename Bound>
  Bound& Find(std::vector<Bound>& bound, const std::string& name) {
    for (Bound& one : bound) {
      if (one.name == name) return one;
    }
    names_.push_back(std::make_unique<std::string>(name));
    bound.push_back({*names_.back(), {}});
    return bound.back();
  }
  std::vector<std::unique_ptr<std::string>> names_;  // the bound views point at these
};

}  // namespace anemone::facade
