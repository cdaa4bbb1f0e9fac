// A tree of multiplications as one product: exporters write 0.5 * x * (1 + erf(x / sqrt 2)) in any
// order, with the constants multiplied or divided anywhere. Patterns compare the factors.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "passes/rewriter.h"

namespace anemone::passes {

struct Product {
  double constant = 1;              // all scalar constants together
  std::vector<ir::Value*> factors;  // the rest, in no order; a square is the same value twice
};

// Flattens the mul, real_div by a scalar constant, square, and pow by 2 or 3 that make `root`;
// inner results must have no other use. Without any multiplication the product is `root` itself.
Product FlattenProduct(const Rewriter& rewriter, ir::Value* root);

// What takes the place of the product that `operation` ends; nullopt leaves it as it is.
using ProductRewrite =
    std::function<std::optional<ir::Value*>(const ir::Operation& operation, const Product&)>;
// Offers every mul and real_div of the function to `rewrite`, the outermost of a tree first, and
// replaces those for which it built a value.
Status RewriteProducts(Rewriter& rewriter, const ProductRewrite& rewrite);

// The other operand of an `add` whose one operand is the scalar constant `wanted` (within
// rounding); null otherwise.
ir::Value* AddedTo(const Rewriter& rewriter, const ir::Value* sum, double wanted);

}  // namespace anemone::passes
