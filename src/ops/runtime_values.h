// Which values of a program only the run time knows, in one walk over it. (IsConstantArg of infer.h
// answers for one argument, by searching the graph above it.)
//
// Ownership: keeps pointers into the program, which must outlive it unchanged. Thread rules: none
// of its own; reading by several threads is safe once all operations were visited.
#pragma once

#include <string_view>
#include <unordered_set>

#include "ir/program.h"

namespace anemone::ops {

// Whether a value's maker tells nothing of it before the run: none (an input), an unknown operator,
// or one whose result does not follow from its arguments alone.
bool IsUnforeseeable(const ir::Operation* producer);

class RuntimeValues {
 public:
  // Every operation, in program order; those of inner blocks after the one that holds them.
  void Visit(const ir::Operation& operation);
  // Whether some value of the argument is one of them. False when the argument is not given.
  bool Among(const ir::Operation& operation, std::string_view param) const;

 private:
  bool Holds(const ir::Value& value) const;

  std::unordered_set<const ir::Operation*> makers_;
};

}  // namespace anemone::ops
