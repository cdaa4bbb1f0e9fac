#include "ops/linear/einsum_onnx.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

#include "onnx/expansion.h"
#include "onnx/fold.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// ---- Einsum of one or two operands: transpose, reshape to [batch, rows, inner], multiply, and
// back. More operands are multiplied one after another.

struct Equation {
  std::vector<std::string> inputs;  // one letter for each dimension
  std::string output;
};

bool Contains(const std::string& labels, char label) {
  return labels.find(label) != std::string::npos;
}

std::ptrdiff_t CountOf(const std::string& labels, char label) {
  return std::count(labels.begin(), labels.end(), label);
}

constexpr std::string_view kDots = "...";

// Letters for the dimensions that '...' stands for, the last one first, of those that the equation
// does not use.
Result<std::string> LettersOfDots(const std::string& text, int64_t count) {
  std::string letters;
  for (char letter = 'A'; letter <= 'z' && static_cast<int64_t>(letters.size()) < count; ++letter) {
    const bool is_letter = letter <= 'Z' || letter >= 'a';
    if (is_letter && !Contains(text, letter)) letters += letter;
  }
  if (static_cast<int64_t>(letters.size()) < count)
    return Unsupported("an equation of {} dimensions", count);
  return letters;
}

// Writes `letters` in the place of '...' in `labels`, of which the last `count` are meant.
Status ReplaceDots(std::string& labels, const std::string& letters, size_t count) {
  const size_t at = labels.find(kDots);
  if (at == std::string::npos) return {};
  std::string named(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(count));
  std::reverse(named.begin(), named.end());
  labels.replace(at, kDots.size(), named);
  if (Contains(labels, '.')) return InvalidInput("the equation has a '.' that is no part of '...'");
  return {};
}

// Names the dimensions that '...' stands for.
Status NameDots(const NodeContext& c, Equation& equation, const std::string& text, bool arrow) {
  std::vector<size_t> counts;
  size_t most = 0;
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    const bool dots = equation.inputs[i].find(kDots) != std::string::npos;
    const size_t named = equation.inputs[i].size() - (dots ? kDots.size() : 0);
    if (dots && named > static_cast<size_t>(c.Rank(i)))
      return InvalidInput("operand {} has rank {}, but the equation names {} dimensions", i,
                          c.Rank(i), named);
    counts.push_back(dots ? static_cast<size_t>(c.Rank(i)) - named : 0);
    most = std::max(most, counts.back());
  }
  ANEMONE_ASSIGN(const std::string letters, LettersOfDots(text, static_cast<int64_t>(most)));
  for (size_t i = 0; i < counts.size(); ++i)
    ANEMONE_TRY(ReplaceDots(equation.inputs[i], letters, counts[i]));
  if (!arrow) equation.output = std::string(letters.rbegin(), letters.rend()) + equation.output;
  return ReplaceDots(equation.output, letters, most);
}

Result<Equation> ParseEquation(const NodeContext& c) {
  std::string text = c.String("equation", "");
  std::erase(text, ' ');
  Equation equation;
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    const size_t comma = std::min(left.find(',', begin), left.size());
    equation.inputs.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (equation.inputs.size() != c.InputCount())
    return InvalidInput("the equation '{}' has {} operands", text, equation.inputs.size());
  if (arrow != std::string::npos) {
    equation.output = text.substr(arrow + 2);
  } else {
    // Letters that occur once, in alphabetical order.
    std::string letters = left;
    std::erase_if(letters, [](char letter) { return letter == ',' || letter == '.'; });
    std::sort(letters.begin(), letters.end());
    for (const char letter : letters) {
      if (CountOf(letters, letter) == 1) equation.output += letter;
    }
  }
  ANEMONE_TRY(NameDots(c, equation, text, arrow != std::string::npos));
  for (const char label : equation.output) {
    const bool known = std::ranges::any_of(
        equation.inputs, [&](const std::string& labels) { return Contains(labels, label); });
    if (!known || CountOf(equation.output, label) != 1)
      return InvalidInput("the output of '{}' has letters that its inputs do not have", text);
  }
  return equation;
}

// An operand and the letter of each of its dimensions.
struct Labeled {
  ir::Value* value;
  std::string labels;
  ir::Shape dims;
};

// Sums over the dimensions whose letter is not in `keep`.
void SumOut(NodeContext& c, Labeled& x, const std::string& keep) {
  std::vector<int64_t> axes;
  std::string left;
  for (size_t d = 0; d < x.labels.size(); ++d) {
    if (Contains(keep, x.labels[d])) {
      left += x.labels[d];
    } else {
      axes.push_back(static_cast<int64_t>(d));
    }
  }
  if (axes.empty()) return;
  x.value =
      c.Op("reduce_sum",
           {{"x", x.value}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(false)}});
  x.labels = left;
}

void TransposeTo(NodeContext& c, Labeled& x, const std::string& labels) {
  if (x.labels == labels) return;
  std::vector<int64_t> perm;
  for (const char label : labels) perm.push_back(static_cast<int64_t>(x.labels.find(label)));
  x.value = c.Op("transpose", {{"x", x.value}, {"perm", ir::Ints(perm)}});
  x.labels = labels;
}

// The diagonal of the dimensions of a letter that occurs twice: they are moved to the end and seen as
// one, of which every (n + 1)-th element is taken.
Status TakeDiagonals(NodeContext& c, Labeled& x) {
  for (size_t d = 0; d < x.labels.size(); ++d) {
    const char label = x.labels[d];
    const size_t second = x.labels.find(label, d + 1);
    if (second == std::string::npos) continue;
    const int64_t size = x.dims[d];
    if (Symbols::IsSymbol(size) || x.dims[second] != size || !FoldableCount({size, size}))
      return Unsupported("a diagonal of dimensions of {} and {}", c.symbols().Text(size),
                         c.symbols().Text(x.dims[second]));
    std::vector<int64_t> perm;
    ir::Shape kept;
    std::string labels;
    for (size_t i = 0; i < x.labels.size(); ++i) {
      if (i == d || i == second) continue;
      perm.push_back(static_cast<int64_t>(i));
      kept.push_back(x.dims[i]);
      labels += x.labels[i];
    }
    perm.push_back(static_cast<int64_t>(d));
    perm.push_back(static_cast<int64_t>(second));
    x.value = c.Op("transpose", {{"x", x.value}, {"perm", ir::Ints(perm)}});
    ir::Shape flat = kept;
    flat.push_back(size * size);
    std::vector<int64_t> at;
    for (int64_t i = 0; i < size; ++i) at.push_back(i * (size + 1));
    x.value = c.Op("gather", {{"x", c.Reshape(x.value, flat)},
                              {"indices", ir::Ints(at)},
                              {"axis", ir::Literal::Int32(static_cast<int32_t>(kept.size()))}});
    kept.push_back(size);
    x.dims = std::move(kept);
    x.labels = labels + label;
    d = static_cast<size_t>(-1);  // the letters moved
  }
  return {};
}

using Sizes = std::array<int64_t, 256>;
int64_t& SizeOf(Sizes& sizes, char label) { return sizes[static_cast<unsigned char>(label)]; }

// Drops dimensions of size 1 whose letter is larger elsewhere: they repeat.
Status MatchSizes(NodeContext& c, std::vector<Labeled>& operands, Sizes& sizes) {
  for (const Labeled& x : operands) {
    for (size_t d = 0; d < x.labels.size(); ++d) {
      int64_t& size = SizeOf(sizes, x.labels[d]);
      if (size == 0 || size == 1) size = x.dims[d];
      if (x.dims[d] != size && x.dims[d] != 1) {
        return Unsupported("the letter '{}' stands for both {} and {}", x.labels[d],
                           c.symbols().Text(size), c.symbols().Text(x.dims[d]));
      }
    }
  }
  for (Labeled& x : operands) {
    std::string labels;
    ir::Shape dims;
    for (size_t d = 0; d < x.labels.size(); ++d) {
      if (x.dims[d] != SizeOf(sizes, x.labels[d])) continue;
      labels += x.labels[d];
      dims.push_back(x.dims[d]);
    }
    if (labels.size() != x.labels.size()) x = {c.Reshape(x.value, dims), labels, dims};
  }
  return {};
}

// The product of the first two of many operands keeps the letters that are needed later; then the
// rest.
Status EmitChain(NodeContext& c, const Equation& equation) {
  Expansion e(c);
  std::string name = e.In(0), labels = equation.inputs[0];
  for (size_t i = 1; i < equation.inputs.size(); ++i) {
    std::string needed = equation.output;
    for (size_t j = i + 1; j < equation.inputs.size(); ++j) needed += equation.inputs[j];
    std::string kept;
    for (const char label : labels + equation.inputs[i]) {
      if (Contains(needed, label) && !Contains(kept, label)) kept += label;
    }
    if (i + 1 == equation.inputs.size()) kept = equation.output;
    name = e.Op("Einsum", {name, e.In(i)},
                {Text("equation", labels + "," + equation.inputs[i] + "->" + kept)});
    labels = kept;
  }
  return e.Finish({name});
}

// The product of two operands without letters that only one of them has and the output has not.
Labeled Multiply(NodeContext& c, Labeled a, Labeled b, const std::string& output, Sizes& sizes) {
  std::string batch, rows, columns, inner;
  for (const char label : a.labels) {
    const bool both = Contains(b.labels, label);
    (both ? (Contains(output, label) ? batch : inner) : rows) += label;
  }
  for (const char label : b.labels) {
    if (!Contains(a.labels, label)) columns += label;
  }
  TransposeTo(c, a, batch + rows + inner);
  TransposeTo(c, b, batch + inner + columns);
  const auto product = [&](const std::string& labels) {
    int64_t size = 1;
    for (const char label : labels) size = c.MulSizes(size, SizeOf(sizes, label));
    return size;
  };
  a.value = c.Reshape(a.value, {product(batch), product(rows), product(inner)});
  b.value = c.Reshape(b.value, {product(batch), product(inner), product(columns)});
  Labeled y{c.Op("matmul", {{"x", a.value},
                            {"y", b.value},
                            {"transpose_x", ir::Literal::Bool(false)},
                            {"transpose_y", ir::Literal::Bool(false)}}),
            batch + rows + columns,
            {}};
  for (const char label : y.labels) y.dims.push_back(SizeOf(sizes, label));
  return y;
}

}  // namespace

Status EmitEinsum(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(std::max<size_t>(c.InputCount(), 1)));
  ANEMONE_ASSIGN(const Equation equation, ParseEquation(c));
  std::vector<Labeled> operands;
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    if (equation.inputs[i].size() != c.Sizes(i).size()) {
      return InvalidInput("operand {} has rank {}, but the equation says {}", i, c.Rank(i),
                          equation.inputs[i].size());
    }
  }
  if (equation.inputs.size() > 2) return EmitChain(c, equation);
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    operands.push_back({c.Value(i), equation.inputs[i], c.Sizes(i)});
    ANEMONE_TRY(TakeDiagonals(c, operands.back()));
  }
  Sizes sizes{};
  ANEMONE_TRY(MatchSizes(c, operands, sizes));
  Labeled& a = operands[0];
  if (operands.size() == 1) {
    SumOut(c, a, equation.output);
    TransposeTo(c, a, equation.output);
    return c.Set(0, a.value);
  }
  Labeled& b = operands[1];
  SumOut(c, a, equation.output + b.labels);
  SumOut(c, b, equation.output + a.labels);
  Labeled y = Multiply(c, a, b, equation.output, sizes);
  if (y.labels == equation.output) return c.SetView(0, y.value, std::move(y.dims));
  y.value = c.Reshape(y.value, y.dims);
  TransposeTo(c, y, equation.output);
  return c.Set(0, y.value);
}

namespace {

// The number of steps is that of the rows, each of which is written out.
constexpr int64_t kLargestMatrix = 64;

std::string Cut(Expansion& e, const std::string& x, int64_t axis, int64_t begin, int64_t end) {
  return e.Op("Slice", {x, e.Int64s({begin}), e.Int64s({end}), e.Int64s({axis})});
}

// One step of Gaussian elimination with the largest pivot of the first column, on matrices
// [B, size, size]. The pivot and its sign are multiplied into `det` [B]; what is left of the matrices,
// one row and column smaller, is returned.
std::string Eliminate(Expansion& e, const std::string& x, int64_t batch, int64_t size,
                      std::string& det) {
  std::vector<int64_t> rows(static_cast<size_t>(size));
  std::iota(rows.begin(), rows.end(), 0);
  const auto largest =
      e.Op("ArgMax", {e.Op("Abs", {Cut(e, x, 2, 0, 1)})}, {Int("axis", 1), Int("keepdims", 1)});
  const auto chosen = e.Op("Equal", {largest, e.Int64s(std::move(rows), {1, size, 1})});
  const auto taken = e.Op("Where", {chosen, x, e.Number(0)});
  const auto pivot_row = e.Op("ReduceSum", {taken, e.Int64s({1})}, {Int("keepdims", 1)});
  const auto pivot = Cut(e, pivot_row, 2, 0, 1);
  // The first row takes the place of the pivot's, which turns the sign around unless they are one.
  const auto exchanged = e.Op("Where", {chosen, Cut(e, x, 1, 0, 1), x});
  const auto rest = Cut(e, exchanged, 1, 1, size);
  const auto none = e.Op("Equal", {pivot, e.Number(0)});
  const auto factor =
      e.Op("Div", {Cut(e, rest, 2, 0, 1), e.Op("Where", {none, e.Number(1), pivot})});
  const auto sign =
      e.Op("Where", {e.Op("Equal", {largest, e.Int64(0)}), e.Number(1), e.Number(-1)});
  det = e.Op("Mul", {det, e.Op("Reshape", {e.Op("Mul", {pivot, sign}), e.Int64s({batch})})});
  return e.Op("Sub",
              {Cut(e, rest, 2, 1, size), e.Op("Mul", {factor, Cut(e, pivot_row, 2, 1, size)})});
}

}  // namespace

Status EmitDet(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(1));
  const ir::Shape& dims = c.Dims(0);
  if (dims.size() < 2 || dims.back() != dims[dims.size() - 2])
    return InvalidInput("{} is no square matrix", ir::ShapeToString(dims));
  const ir::Shape outer(dims.begin(), dims.end() - 2);
  const int64_t size = dims.back(), batch = ir::ElementCount(outer).value_or(0);
  if (size > kLargestMatrix || size < 1 || batch < 1)
    return Unsupported("the determinant of {}", ir::ShapeToString(dims))
        .Advise("compute it outside the model");
  Expansion e(c);
  auto x = e.Op("Reshape", {e.In(0), e.Int64s({batch, size, size})});
  auto det = e.Known(BroadcastConstant(onnx::Constant::Floats({1}, {}), {batch}));
  for (int64_t left = size; left > 1; --left) x = Eliminate(e, x, batch, left, det);
  det = e.Op("Mul", {det, e.Op("Reshape", {x, e.Int64s({batch})})});
  return e.Finish({e.Op("Reshape", {det, e.Int64s(outer)})});
}

}  // namespace anemone::ops::linear
