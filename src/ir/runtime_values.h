// Which values of a program only the run time knows, in one walk over it. IsConstantArg answers
// for one argument, by searching the graph above it.
//
// Ownership: keeps pointers into the program, which must outlive it unchanged. Thread rules: none
// of its own; reading by several threads is safe once all operations were visited.
#pragma once

#include <string_view>
#include <unordered_set>

#include "ir/op_def.h"
#include "ir/program.h"

namespace anemone::ir {

// Whether an argument is fixed when the model is compiled: a known value, or computed from
// constants only. True when its producer is not known (an operator evaluated on its own).
bool IsConstantArg(const OpArgs& args, std::string_view param);

class RuntimeValues {
 public:
  // Every operation, in program order; those of inner blocks after the one that holds them.
  void Visit(const Operation& operation);
  // Whether some value of the argument is one of them. False when the argument is not given.
  bool Among(const Operation& operation, std::string_view param) const;

 private:
  bool Holds(const Value& value) const;

  std::unordered_set<const Operation*> makers_;
};

}  // namespace anemone::ir
