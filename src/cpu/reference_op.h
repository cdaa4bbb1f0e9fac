// Operations that run through their reference kernel on buffers of the plan, or through the
// interpreter. Thread rules: immutable once built; Run works on its frame.
#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cpu/plan.h"
#include "exec/kernel.h"

namespace anemone::cpu {

// All types are static.
struct ReferenceOp {
  struct Operand {
    ir::Type type;
    const ir::Literal* known = nullptr;
    BufferId buffer = kNoBuffer;  // kNoBuffer for strings
  };
  struct Input {
    std::string_view param;
    std::vector<Operand> operands;
  };

  const ir::OpDef* def = nullptr;
  ir::Opset opset = ir::Opset::kIOS15;
  exec::KernelFn kernel = nullptr;
  exec::RoundingRule rounding;
  bool int64_results = false;  // that of the operation
  std::vector<Input> inputs;
  std::vector<ir::Type> outputs;
  std::vector<BufferId> buffers;  // of the outputs

  Status Run(Frame& frame) const;
  Status CheckInt64Results(const ir::OpArgs& args, const Frame& frame) const;
  // The arguments in a running call. `made` holds the integers that are known only then.
  Result<ir::OpArgs> ArgsOf(const Frame& frame, std::deque<ir::Literal>* made) const;
};

struct InterpretedOutput {
  const ir::Value* value = nullptr;
  ir::Type type;
  BufferId buffer = kNoBuffer;
};
// Runs one operation in the frame's interpreter and copies the outputs of known type to their
// buffers.
Status RunInterpreted(const ir::Operation& operation, const std::vector<InterpretedOutput>& outputs,
                      Frame& frame);

}  // namespace anemone::cpu
