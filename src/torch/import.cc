#include "torch/import.h"

#include <utility>

#include "torch/lowering.h"
#include "torch/reader.h"

namespace anemone::torch {

Result<ir::Model> ImportProgram(const Program& program, const onnx::ImportOptions& options) {
  Lowering lowering(program, options);
  ANEMONE_ASSIGN(const onnx::Model graph, lowering.Run());
  ANEMONE_ASSIGN(const onnx::ImportOptions ranges, lowering.Options());
  ANEMONE_ASSIGN(ir::Model model, onnx::ImportModel(graph, ranges));
  auto& user = model.metadata.user_defined;
  user.erase("onnx.opset");
  user.erase("onnx.producer");
  user["pytorch.version"] = program.torch_version;
  user["pytorch.schema"] = fmt::format("{}.{}", program.schema_major, program.schema_minor);
  return model;
}

Result<ir::Model> ImportTorch(const std::string& path, const onnx::ImportOptions& options) {
  ANEMONE_ASSIGN(const Program program, ReadProgram(path));
  return ImportProgram(program, options).At(path);
}

}  // namespace anemone::torch
