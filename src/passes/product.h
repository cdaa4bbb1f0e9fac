// A tree of multiplications as one product: exporters write 0.5 * x * (1 + erf(x / sqrt 2)) in
// every order, with constants here and there, multiplied or divided. Patterns compare what is left.
#pragma once

#include <vector>

#include "passes/rewriter.h"

namespace anemone::passes {

struct Product {
  double constant = 1;              // all scalar constants together
  std::vector<ir::Value*> factors;  // the rest, in no order; a square is the same value twice
};

// Takes apart mul, real_div by a scalar constant, square and pow by 2 or 3 that make `root`; inner
// results must have no other use. With no multiplication at all the product is `root` itself.
Product FlattenProduct(const Rewriter& rewriter, ir::Value* root);
// The other operand of an `add` whose one operand is the scalar constant `wanted` (about); null
// otherwise.
ir::Value* AddedTo(const Rewriter& rewriter, const ir::Value* sum, double wanted);

}  // namespace anemone::passes
