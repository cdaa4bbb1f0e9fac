// An ONNX file: imported, or refused.
#include "fuzz/target.h"
#include "ir/verifier.h"
#include "onnx/import.h"
#include "onnx/reader.h"
#include "unit/onnx/model_builder.h"

namespace anemone::fuzz {

using namespace onnx::testing;  // NOLINT: the builder's short names

std::vector<std::string> Seeds() {
  const auto text = [](const Message& model) {
    const Bytes bytes = ToBytes(model);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const auto graph = [](const Message& node, const std::vector<TestDim>& dims,
                        const std::vector<Message>& initializers) {
    return MakeModel(MakeGraph({.nodes = {node},
                                .inputs = {MakeValue("x", kFloat, dims)},
                                .outputs = {MakeValue("y", kFloat, {})},
                                .initializers = initializers}));
  };
  return {text(graph(MakeNode("Add", {"x", "w"}, {"y"}), {2, 3}, {Floats("w", {3}, {1, 2, 3})})),
          text(graph(MakeNode("Conv", {"x", "w"}, {"y"}), {1, 1, 4, 4},
                     {Floats("w", {1, 1, 1, 1}, {2})})),
          text(graph(MakeNode("Reshape", {"x", "s"}, {"y"}), {2, 3}, {Int64s("s", {1}, {-1})})),
          text(graph(MakeNode("Transpose", {"x"}, {"y"}), {"n", 3}, {}))};
}

void Try(std::span<const std::byte> bytes) {
  const auto file = onnx::ReadModel(Copied(bytes), "");
  if (!file.ok()) return;
  const auto model = onnx::ImportModel(*file);
  if (model.ok()) (void)ir::Verify(model->program).ok();
}

}  // namespace anemone::fuzz
