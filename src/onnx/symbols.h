// Symbols: sizes that only the run time knows, as expressions over the open dimensions of the
// model's inputs. A size is an int64_t: a number, or the handle of an expression. Handles lie in a
// band of negative numbers that no size, index or count of a model reaches, so both fit into an
// ir::Shape, and every test for "negative means dynamic" holds for handles too.
//
// Expressions are polynomials with integer coefficients over atoms: open dimensions, and quotients,
// minima and maxima of polynomials. They are kept in one canonical form, so two sizes with the same
// handle are equal at run time. Sizes with different handles may be equal too: only Compare tells.
//
// Ownership: handles mean something only to the Symbols that made them. Thread rules: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/type.h"

namespace anemone::onnx {

class Symbols {
 public:
  static constexpr int64_t kUnbounded = int64_t{1} << 40;
  struct Bounds {
    int64_t low = 0;
    int64_t high = kUnbounded;  // kUnbounded: not known
    friend bool operator==(const Bounds&, const Bounds&) = default;
  };
  enum class Order { kLess, kEqual, kGreater, kUnknown, kNotLess, kNotGreater };

  static bool IsSymbol(int64_t size) { return size <= kFirst && size > kFirst - kMost; }
  static bool AnySymbol(const ir::Shape& dims);

  // A new open dimension. `name` is for messages. The low bound of a `movable` one may be raised.
  int64_t AddOpen(std::string name, Bounds bounds, int64_t default_size, bool movable = false);

  // Arithmetic; nullopt when a coefficient overflows or the result cannot be written this way.
  std::optional<int64_t> Add(int64_t a, int64_t b);
  std::optional<int64_t> Sub(int64_t a, int64_t b);
  std::optional<int64_t> Mul(int64_t a, int64_t b);
  // Rounded toward minus infinity; nullopt unless b is at least 1.
  std::optional<int64_t> FloorDiv(int64_t a, int64_t b);
  // ONNX's division of integers, which truncates; nullopt when the sign of a is not known.
  std::optional<int64_t> TruncDiv(int64_t a, int64_t b);
  std::optional<int64_t> Min(int64_t a, int64_t b);
  std::optional<int64_t> Max(int64_t a, int64_t b);
  // Product of dims[begin, end).
  std::optional<int64_t> Product(const ir::Shape& dims, size_t begin, size_t end);

  // What holds at every size within the bounds.
  Bounds BoundsOf(int64_t size) const;
  Order Compare(int64_t a, int64_t b);
  // The value where every open dimension has its default.
  int64_t DefaultOf(int64_t size) const;
  // "height", "2*height - 1", "floor((height + 1)/2)".
  std::string Text(int64_t size) const;
  std::string Text(const ir::Shape& dims) const;

  // Raises the low bound of the movable dimension that `size` depends on, when it depends on one
  // only, until the size is at least `least`. False when that cannot be done.
  bool RaiseTo(int64_t size, int64_t least);
  // The bounds that an open dimension has by now.
  Bounds OpenBounds(int64_t symbol) const;

  // ---- for the code that writes an expression in MIL
  enum class AtomKind : uint8_t { kOpen, kFloorDiv, kMin, kMax };
  struct Atom {
    AtomKind kind = AtomKind::kOpen;
    std::string name = {};  // kOpen
    Bounds bounds = {};
    int64_t default_size = 0;
    bool movable = false;
    int64_t a = 0, b = 0;  // operands of the others
  };
  // Atoms in ascending order, repeated for powers, and the coefficient of their product.
  using Polynomial = std::map<std::vector<int32_t>, int64_t>;
  const Polynomial& PolynomialOf(int64_t symbol) const {
    return polynomials_[static_cast<size_t>(kFirst - symbol)];
  }
  const Atom& AtomAt(int32_t index) const { return atoms_[static_cast<size_t>(index)]; }
  // The size that is the atom alone.
  int64_t SizeOfAtom(int32_t index);

 private:
  static constexpr int64_t kFirst = -(int64_t{1} << 52);
  static constexpr int64_t kMost = int64_t{1} << 20;

  Polynomial ToPolynomial(int64_t size) const;
  std::optional<int64_t> ToSize(Polynomial polynomial);
  std::optional<int64_t> AtomOf(AtomKind kind, int64_t a, int64_t b);
  Bounds BoundsOf(const Polynomial& polynomial) const;
  Bounds BoundsOf(const Atom& atom) const;
  void CollectOpen(int64_t size, std::vector<int32_t>* open) const;

  std::vector<Atom> atoms_;
  std::map<std::tuple<AtomKind, int64_t, int64_t>, int32_t> atom_index_;
  std::vector<Polynomial> polynomials_;
  std::map<Polynomial, int64_t> handles_;
};

}  // namespace anemone::onnx
