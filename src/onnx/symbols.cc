#include "onnx/symbols.h"

#include <fmt/format.h>

#include <algorithm>

namespace anemone::onnx {
namespace {

int64_t FloorOf(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

int64_t Clamped(int64_t value) {
  return std::clamp(value, -Symbols::kUnbounded, Symbols::kUnbounded);
}

// Products and sums of bounds; what overflows is not known.
int64_t BoundedMul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return Clamped(product);
  return (a < 0) == (b < 0) ? Symbols::kUnbounded : -Symbols::kUnbounded;
}

bool IsNumber(const Symbols::Polynomial& p) {
  return p.empty() || (p.size() == 1 && p.begin()->first.empty());
}

// `monomial` without the atoms of `part`; nullopt when it does not hold them all.
std::optional<std::vector<int32_t>> Without(const std::vector<int32_t>& monomial,
                                            const std::vector<int32_t>& part) {
  if (!std::ranges::includes(monomial, part)) return std::nullopt;
  std::vector<int32_t> rest;
  std::ranges::set_difference(monomial, part, std::back_inserter(rest));
  return rest;
}

bool AddTerm(Symbols::Polynomial* p, const std::vector<int32_t>& monomial, int64_t coefficient) {
  int64_t& sum = (*p)[monomial];
  if (__builtin_add_overflow(sum, coefficient, &sum)) return false;
  if (sum == 0) p->erase(monomial);
  return true;
}

}  // namespace

bool Symbols::AnySymbol(const ir::Shape& dims) { return std::ranges::any_of(dims, IsSymbol); }

int64_t Symbols::AddOpen(std::string name, Bounds bounds, int64_t default_size, bool movable) {
  const auto index = static_cast<int32_t>(atoms_.size());
  atoms_.push_back({.kind = AtomKind::kOpen,
                    .name = std::move(name),
                    .bounds = bounds,
                    .default_size = default_size,
                    .movable = movable});
  return SizeOfAtom(index);
}

int64_t Symbols::SizeOfAtom(int32_t index) { return *ToSize({{{index}, 1}}); }

Symbols::Polynomial Symbols::ToPolynomial(int64_t size) const {
  if (IsSymbol(size)) return PolynomialOf(size);
  if (size == 0) return {};
  return {{{}, size}};
}

std::optional<int64_t> Symbols::ToSize(Polynomial polynomial) {
  if (polynomial.empty()) return 0;
  if (IsNumber(polynomial)) {
    const int64_t number = polynomial.begin()->second;
    if (IsSymbol(number)) return std::nullopt;
    return number;
  }
  const auto found = handles_.find(polynomial);
  if (found != handles_.end()) return found->second;
  if (static_cast<int64_t>(polynomials_.size()) >= kMost - 1) return std::nullopt;
  const int64_t handle = kFirst - static_cast<int64_t>(polynomials_.size());
  polynomials_.push_back(polynomial);
  handles_.emplace(std::move(polynomial), handle);
  return handle;
}

std::optional<int64_t> Symbols::Add(int64_t a, int64_t b) {
  Polynomial sum = ToPolynomial(a);
  for (const auto& [monomial, coefficient] : ToPolynomial(b)) {
    if (!AddTerm(&sum, monomial, coefficient)) return std::nullopt;
  }
  return ToSize(std::move(sum));
}

std::optional<int64_t> Symbols::Sub(int64_t a, int64_t b) {
  const auto negative = Mul(b, -1);
  return negative ? Add(a, *negative) : std::nullopt;
}

std::optional<int64_t> Symbols::Mul(int64_t a, int64_t b) {
  Polynomial product;
  const Polynomial right = ToPolynomial(b);
  for (const auto& [m, x] : ToPolynomial(a)) {
    for (const auto& [n, y] : right) {
      std::vector<int32_t> monomial;
      std::ranges::merge(m, n, std::back_inserter(monomial));
      int64_t coefficient = 0;
      if (__builtin_mul_overflow(x, y, &coefficient)) return std::nullopt;
      if (!AddTerm(&product, monomial, coefficient)) return std::nullopt;
    }
  }
  return ToSize(std::move(product));
}

std::optional<int64_t> Symbols::FloorDiv(int64_t a, int64_t b) {
  if (BoundsOf(b).low < 1) return std::nullopt;
  if (b == 1) return a;
  const Polynomial dividend = ToPolynomial(a), divisor = ToPolynomial(b);
  if (divisor.size() != 1) {
    // A sum: only the whole of it is divided out.
    if (a == b) return 1;
    return AtomOf(AtomKind::kFloorDiv, a, b);
  }
  // The terms that the divisor divides leave the quotient whole: floor((q*b + r)/b) is
  // q + floor(r/b).
  const auto& [atoms, number] = *divisor.begin();
  Polynomial whole, rest;
  for (const auto& [monomial, coefficient] : dividend) {
    const auto left = Without(monomial, atoms);
    if (!left) {
      rest.emplace(monomial, coefficient);
      continue;
    }
    const int64_t q = FloorOf(coefficient, number);
    if (q != 0 && !AddTerm(&whole, *left, q)) return std::nullopt;
    if (coefficient - q * number != 0) rest.emplace(monomial, coefficient - q * number);
  }
  std::optional<int64_t> quotient = 0;
  if (!rest.empty()) {
    // A number between 0 and the divisor leaves nothing over.
    const auto remainder = ToSize(std::move(rest));
    if (!remainder) return std::nullopt;
    const Order order = Compare(*remainder, b);
    if (BoundsOf(*remainder).low >= 0 && order == Order::kLess) {
      quotient = 0;
    } else {
      quotient = AtomOf(AtomKind::kFloorDiv, *remainder, b);
    }
  }
  const auto sum = ToSize(std::move(whole));
  return sum && quotient ? Add(*sum, *quotient) : std::nullopt;
}

std::optional<int64_t> Symbols::TruncDiv(int64_t a, int64_t b) {
  const Bounds bounds = BoundsOf(a);
  if (bounds.low >= 0) return FloorDiv(a, b);
  if (bounds.high > 0) return std::nullopt;
  const auto positive = Mul(a, -1);
  const auto quotient = positive ? FloorDiv(*positive, b) : std::nullopt;
  return quotient ? Mul(*quotient, -1) : std::nullopt;
}

std::optional<int64_t> Symbols::Min(int64_t a, int64_t b) {
  switch (Compare(a, b)) {
    case Order::kLess:
    case Order::kEqual:
    case Order::kNotGreater:
      return a;
    case Order::kGreater:
    case Order::kNotLess:
      return b;
    case Order::kUnknown:
      break;
  }
  return AtomOf(AtomKind::kMin, std::min(a, b), std::max(a, b));
}

std::optional<int64_t> Symbols::Max(int64_t a, int64_t b) {
  switch (Compare(a, b)) {
    case Order::kLess:
    case Order::kNotGreater:
      return b;
    case Order::kEqual:
    case Order::kGreater:
    case Order::kNotLess:
      return a;
    case Order::kUnknown:
      break;
  }
  return AtomOf(AtomKind::kMax, std::min(a, b), std::max(a, b));
}

std::optional<int64_t> Symbols::Product(const ir::Shape& dims, size_t begin, size_t end) {
  std::optional<int64_t> product = 1;
  for (size_t d = begin; d < end && product; ++d) product = Mul(*product, dims[d]);
  return product;
}

std::optional<int64_t> Symbols::AtomOf(AtomKind kind, int64_t a, int64_t b) {
  // floor((floor(x/a) + n)/b) is floor((x + n*a)/(a*b)).
  if (kind == AtomKind::kFloorDiv && IsSymbol(a) && !IsSymbol(b)) {
    Polynomial inner = PolynomialOf(a);
    int64_t number = 0;
    if (const auto found = inner.find({}); found != inner.end()) {
      number = found->second;
      inner.erase(found);
    }
    if (inner.size() == 1 && inner.begin()->second == 1 && inner.begin()->first.size() == 1) {
      const Atom atom = AtomAt(inner.begin()->first[0]);
      if (atom.kind == AtomKind::kFloorDiv && !IsSymbol(atom.b)) {
        const auto both = Mul(atom.b, b), offset = Mul(atom.b, number);
        const auto sum = offset ? Add(atom.a, *offset) : std::nullopt;
        return sum && both ? FloorDiv(*sum, *both) : std::nullopt;
      }
    }
  }
  const auto [found, added] =
      atom_index_.try_emplace({kind, a, b}, static_cast<int32_t>(atoms_.size()));
  if (added) atoms_.push_back({.kind = kind, .a = a, .b = b});
  return ToSize({{{found->second}, 1}});
}

Symbols::Bounds Symbols::BoundsOf(const Atom& atom) const {
  if (atom.kind == AtomKind::kOpen) return atom.bounds;
  const Bounds a = BoundsOf(atom.a), b = BoundsOf(atom.b);
  if (atom.kind == AtomKind::kMin) return {std::min(a.low, b.low), std::min(a.high, b.high)};
  if (atom.kind == AtomKind::kMax) return {std::max(a.low, b.low), std::max(a.high, b.high)};
  const int64_t low_divisor = std::max<int64_t>(b.low, 1);
  const int64_t high_divisor = std::max<int64_t>(b.high, 1);
  Bounds bounds;
  bounds.low = FloorOf(a.low, a.low < 0 ? low_divisor : high_divisor);
  if (a.low <= -kUnbounded) bounds.low = -kUnbounded;
  bounds.high =
      a.high >= kUnbounded ? kUnbounded : FloorOf(a.high, a.high < 0 ? high_divisor : low_divisor);
  return bounds;
}

Symbols::Bounds Symbols::BoundsOf(const Polynomial& polynomial) const {
  Bounds sum{0, 0};
  for (const auto& [monomial, coefficient] : polynomial) {
    Bounds product{1, 1};
    for (const int32_t index : monomial) {
      const Bounds atom = BoundsOf(AtomAt(index));
      const int64_t corners[] = {
          BoundedMul(product.low, atom.low), BoundedMul(product.low, atom.high),
          BoundedMul(product.high, atom.low), BoundedMul(product.high, atom.high)};
      product = {*std::ranges::min_element(corners), *std::ranges::max_element(corners)};
    }
    const int64_t ends[] = {BoundedMul(product.low, coefficient),
                            BoundedMul(product.high, coefficient)};
    const auto [low, high] = std::minmax(ends[0], ends[1]);
    // What is not known stays so, whatever is added.
    sum.low = sum.low <= -kUnbounded || low <= -kUnbounded ? -kUnbounded : Clamped(sum.low + low);
    sum.high = sum.high >= kUnbounded || high >= kUnbounded ? kUnbounded : Clamped(sum.high + high);
  }
  return sum;
}

Symbols::Bounds Symbols::BoundsOf(int64_t size) const {
  if (!IsSymbol(size)) return {size, size};
  return BoundsOf(PolynomialOf(size));
}

Symbols::Order Symbols::Compare(int64_t a, int64_t b) {
  if (a == b) return Order::kEqual;
  const auto difference = Sub(a, b);
  if (!difference) return Order::kUnknown;
  const Bounds bounds = BoundsOf(*difference);
  if (bounds.low > 0) return Order::kGreater;
  if (bounds.high < 0) return Order::kLess;
  if (bounds.low == 0 && bounds.high == 0) return Order::kEqual;
  if (bounds.low == 0) return Order::kNotLess;
  if (bounds.high == 0) return Order::kNotGreater;
  return Order::kUnknown;
}

int64_t Symbols::DefaultOf(int64_t size) const {
  if (!IsSymbol(size)) return size;
  int64_t sum = 0;
  for (const auto& [monomial, coefficient] : PolynomialOf(size)) {
    int64_t product = coefficient;
    for (const int32_t index : monomial) {
      const Atom& atom = AtomAt(index);
      int64_t value = atom.default_size;
      if (atom.kind != AtomKind::kOpen) {
        const int64_t a = DefaultOf(atom.a), b = DefaultOf(atom.b);
        value = atom.kind == AtomKind::kFloorDiv ? FloorOf(a, std::max<int64_t>(b, 1))
                : atom.kind == AtomKind::kMin    ? std::min(a, b)
                                                 : std::max(a, b);
      }
      product = BoundedMul(product, value);
    }
    sum = Clamped(sum + product);
  }
  return sum;
}

std::string Symbols::Text(int64_t size) const {
  if (!IsSymbol(size)) return fmt::format("{}", size);
  std::string text;
  // The number last, as people write it.
  std::vector<std::pair<std::vector<int32_t>, int64_t>> terms(PolynomialOf(size).begin(),
                                                              PolynomialOf(size).end());
  std::ranges::stable_partition(terms, [](const auto& term) { return !term.first.empty(); });
  for (const auto& [monomial, coefficient] : terms) {
    const int64_t number = coefficient < 0 ? -coefficient : coefficient;
    text += text.empty() ? (coefficient < 0 ? "-" : "") : (coefficient < 0 ? " - " : " + ");
    std::string product = number == 1 && !monomial.empty() ? "" : fmt::format("{}", number);
    for (const int32_t index : monomial) {
      const Atom& atom = AtomAt(index);
      if (!product.empty()) product += "*";
      if (atom.kind == AtomKind::kOpen) {
        product += atom.name;
      } else if (atom.kind == AtomKind::kFloorDiv) {
        product += fmt::format("floor(({})/{})", Text(atom.a),
                               IsSymbol(atom.b) ? "(" + Text(atom.b) + ")" : Text(atom.b));
      } else {
        product += fmt::format("{}({}, {})", atom.kind == AtomKind::kMin ? "min" : "max",
                               Text(atom.a), Text(atom.b));
      }
    }
    text += product;
  }
  return text;
}

std::string Symbols::Text(const ir::Shape& dims) const {
  std::string text;
  for (const int64_t dim : dims) text += (text.empty() ? "" : ", ") + Text(dim);
  return "[" + text + "]";
}

void Symbols::CollectOpen(int64_t size, std::vector<int32_t>* open) const {
  if (!IsSymbol(size)) return;
  for (const auto& [monomial, coefficient] : PolynomialOf(size)) {
    for (const int32_t index : monomial) {
      const Atom& atom = AtomAt(index);
      if (atom.kind == AtomKind::kOpen) {
        if (std::ranges::find(*open, index) == open->end()) open->push_back(index);
      } else {
        CollectOpen(atom.a, open);
        CollectOpen(atom.b, open);
      }
    }
  }
}

bool Symbols::RaiseTo(int64_t size, int64_t least) {
  std::vector<int32_t> open;
  CollectOpen(size, &open);
  if (open.size() != 1) return false;
  Atom& atom = atoms_[static_cast<size_t>(open[0])];
  if (!atom.movable) return false;
  const Bounds before = atom.bounds;
  while (BoundsOf(size).low < least && atom.bounds.low < atom.bounds.high) ++atom.bounds.low;
  if (BoundsOf(size).low < least) {
    atom.bounds = before;
    return false;
  }
  atom.default_size = std::max(atom.default_size, atom.bounds.low);
  return true;
}

Symbols::Bounds Symbols::OpenBounds(int64_t symbol) const {
  return IsSymbol(symbol) ? BoundsOf(symbol) : Bounds{symbol, symbol};
}

}  // namespace anemone::onnx
