#include "onnx/integer_products.h"

#include <optional>
#include <string>
#include <unordered_map>

namespace anemone::onnx {
namespace {

class Fuser {
 public:
  explicit Fuser(Graph* graph) : graph_(graph) {
    for (const Node& node : graph->nodes) {
      for (const auto& output : node.outputs) makers_[output] = &node;
      for (const auto& input : node.inputs) ++uses_[input];
    }
    for (const auto& output : graph->outputs) ++uses_[output.name];
  }

  bool Run() {
    bool changed = false;
    for (Node& node : graph_->nodes) {
      auto fused = Fused(node);
      if (!fused) continue;
      fused->name = node.name;
      fused->outputs = node.outputs;
      // The places of other nodes do not change.
      node = std::move(*fused);
      changed = true;
    }
    return changed;
  }

 private:
  const Node* Maker(const std::string& value, std::string_view op) const {
    const auto found = makers_.find(value);
    const bool right =
        found != makers_.end() && found->second->op == op && found->second->domain.empty();
    return right ? found->second : nullptr;
  }
  bool UsedOnce(const std::string& value) const { return uses_.at(value) == 1; }

  // The product of integers whose cast to float is `value`.
  const Node* CastProduct(const std::string& value) const {
    const Node* cast = Maker(value, "Cast");
    if (cast == nullptr || cast->inputs.size() != 1 || !UsedOnce(value)) return nullptr;
    const Attribute* to = cast->Find("to");
    if (to == nullptr || to->i != static_cast<int64_t>(ElementType::kFloat)) return nullptr;
    const std::string& integers = cast->inputs[0];
    const Node* product = Maker(integers, "MatMulInteger");
    if (product == nullptr) product = Maker(integers, "ConvInteger");
    return product != nullptr && product->inputs.size() >= 2 && UsedOnce(integers) ? product
                                                                                   : nullptr;
  }

  // Whether `scale` is what the left operand of `product` was quantized with.
  bool IsScaleOf(const std::string& scale, const Node& product) const {
    const Node* quantize = Maker(product.inputs[0], "DynamicQuantizeLinear");
    const bool matches = quantize != nullptr && quantize->outputs.size() == 3 &&
                         quantize->outputs[0] == product.inputs[0] && quantize->outputs[1] == scale;
    return matches && product.inputs.size() > 2 && product.inputs[2] == quantize->outputs[2];
  }

  std::optional<Node> Fused(const Node& mul) const {
    if (mul.op != "Mul" || !mul.domain.empty() || mul.inputs.size() != 2) return std::nullopt;
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const Node* product = CastProduct(mul.inputs[side]);
      const Node* scales = Maker(mul.inputs[1 - side], "Mul");
      if (product == nullptr || scales == nullptr || scales->inputs.size() != 2) continue;
      const bool left = IsScaleOf(scales->inputs[0], *product);
      if (!left && !IsScaleOf(scales->inputs[1], *product)) continue;
      const std::string& own = scales->inputs[left ? 0 : 1];
      const std::string& weights = scales->inputs[left ? 1 : 0];
      const Tensor* known = graph_->FindInitializer(weights);
      const bool conv = product->op == "ConvInteger";
      if (known == nullptr || known->dims.size() > 1 || (conv && known->element_count != 1))
        continue;
      Node fused;
      fused.op = conv ? "ConvIntegerToFloat" : "MatMulIntegerToFloat";
      fused.domain = conv ? kOwnDomain : "com.microsoft";
      fused.attributes = product->attributes;
      fused.inputs = {product->inputs[0],
                      product->inputs[1],
                      own,
                      weights,
                      product->inputs[2],
                      product->inputs.size() > 3 ? product->inputs[3] : ""};
      return fused;
    }
    return std::nullopt;
  }

  Graph* graph_;
  std::unordered_map<std::string, const Node*> makers_;
  std::unordered_map<std::string, int> uses_;
};

}  // namespace

bool FuseIntegerProducts(Graph* graph) { return Fuser(graph).Run(); }

}  // namespace anemone::onnx
