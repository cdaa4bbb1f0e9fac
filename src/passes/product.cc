#include "passes/product.h"

#include "passes/match.h"

namespace anemone::passes {
namespace {

bool IsScalar(const ir::Value* value) {
  return UniformValue(value).has_value() && value->type.element_count() == 1;
}

// Adds `value` to the product; `inner` when it may be split, because nothing else needs it.
void Collect(const Rewriter& rewriter, ir::Value* value, bool inner, int depth, Product* product) {
  constexpr int kMaxDepth = 8;
  if (IsScalar(value)) {
    product->constant *= *UniformValue(value);
    return;
  }
  const ir::Operation* op = value->producer;
  if (op == nullptr || !inner || depth > kMaxDepth) {
    product->factors.push_back(value);
    return;
  }
  const auto recurse = [&](ir::Value* operand) {
    Collect(rewriter, operand, rewriter.OnlyUser(operand) == op, depth + 1, product);
  };
  if (op->type() == "mul") {
    // A value times itself has two uses, so it is not split.
    recurse(op->Input("x"));
    recurse(op->Input("y"));
  } else if (op->type() == "real_div" && IsScalar(op->Input("y"))) {
    product->constant /= *UniformValue(op->Input("y"));
    recurse(op->Input("x"));
  } else if (op->type() == "square") {
    product->factors.insert(product->factors.end(), 2, op->Input("x"));
  } else if (op->type() == "pow" && IsScalar(op->Input("y")) &&
             (*UniformValue(op->Input("y")) == 2 || *UniformValue(op->Input("y")) == 3)) {
    product->factors.insert(product->factors.end(),
                            static_cast<size_t>(*UniformValue(op->Input("y"))), op->Input("x"));
  } else {
    product->factors.push_back(value);
  }
}

}  // namespace

Product FlattenProduct(const Rewriter& rewriter, ir::Value* root) {
  Product product;
  Collect(rewriter, root, true, 0, &product);
  return product;
}

Status RewriteProducts(Rewriter& rewriter, const ProductRewrite& rewrite) {
  // Backward, so that the outermost product of a tree comes first.
  const auto& operations = rewriter.operations();
  for (auto it = operations.rbegin(); it != operations.rend(); ++it) {
    ir::Operation& op = **it;
    if (rewriter.IsDead(op) || (op.type() != "mul" && op.type() != "real_div")) continue;
    const auto replacement = rewrite(op, FlattenProduct(rewriter, op.output()));
    if (!replacement) continue;
    ANEMONE_TRY(rewriter.Commit(op));
    rewriter.Replace(op.output(), *replacement);
  }
  return {};
}

ir::Value* AddedTo(const Rewriter& rewriter, const ir::Value* sum, double wanted) {
  const ir::Operation* add = ProducerOf(sum, "add");
  if (add == nullptr || rewriter.OnlyUser(sum) == nullptr) return nullptr;
  const auto operands = MatchWithConst(*add);
  return operands && IsScalar(operands->constant) && IsAbout(operands->constant, wanted)
             ? operands->value
             : nullptr;
}

}  // namespace anemone::passes
