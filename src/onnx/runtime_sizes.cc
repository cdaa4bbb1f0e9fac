#include "onnx/runtime_sizes.h"

#include <algorithm>

namespace anemone::onnx {

using ir::Shape;

bool RuntimeSizes::InMain(const ir::Value* value) const {
  if (value->producer != nullptr) return value->producer->parent() == main_.block();
  return std::ranges::any_of(main_.block()->inputs(),
                             [&](const auto& input) { return input.get() == value; });
}

const Shape& RuntimeSizes::DimsOf(ir::Value* value) {
  if (value->type.is_static()) return value->type.shape();
  const auto found = dims_.find(value);
  if (found != dims_.end()) return found->second;
  SetDims(value, value->type.shape());
  return dims_.at(value);
}

void RuntimeSizes::SetDims(ir::Value* value, Shape dims) {
  Shape known = value->type.shape();
  for (size_t d = 0; d < dims.size(); ++d) {
    if (known[d] >= 0) dims[d] = known[d];
    if (dims[d] == ir::kDynamic)
      dims[d] = symbols_.AddOpen(fmt::format("size {} of '{}'", d, value->name), {}, 1);
    if (!Symbols::IsSymbol(dims[d])) {
      known[d] = dims[d];
      continue;
    }
    // The first value of the function's own block that has the size is where it is read.
    const auto [place, added] = places_.try_emplace(dims[d], Place{value, d});
    if (!added && !InMain(place->second.value) && InMain(value)) place->second = {value, d};
  }
  value->type = ir::Type::Tensor(value->type.dtype(), std::move(known));
  dims_.insert_or_assign(value, std::move(dims));
}

Status RuntimeSizes::Infer(const ir::Operation& operation, ir::Opset opset) {
  bool open = false;
  for (const auto& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      open = open || (value->type.is_tensor() && value->type.has_rank() && dims_.contains(value));
    }
  }
  // Otherwise the sizes depend on the data; whoever knows better says so with SetDims.
  if (!open || operation.type() == "non_zero") return {};
  for (size_t i = 0; i < operation.outputs().size(); ++i) {
    ir::Value* output = operation.output(i);
    if (!output->type.is_tensor() || !output->type.has_rank() || output->type.is_static()) continue;
    auto dims = Rule(operation, i, opset);
    if (!dims || dims->size() != output->type.shape().size()) {
      DimsOf(output);
      continue;
    }
    ANEMONE_TRY(CheckSizes(operation, *dims));
    SetDims(output, std::move(*dims));
  }
  return {};
}

Status RuntimeSizes::CheckSizes(const ir::Operation& operation, const Shape& dims) {
  for (size_t d = 0; d < dims.size(); ++d) {
    if (!Symbols::IsSymbol(dims[d])) continue;
    const auto bounds = symbols_.BoundsOf(dims[d]);
    if (bounds.low >= 1 || bounds.low <= -Symbols::kUnbounded || symbols_.RaiseTo(dims[d], 1))
      continue;
    // Sizes of one operator with windows are exact; those of others may be better than the bounds.
    if (!operation.type().ends_with("conv") && !operation.type().ends_with("_pool")) continue;
    return Unsupported(
               "dimension {} of its output is {}, which is {} at the smallest size of the range", d,
               symbols_.Text(dims[d]), bounds.low)
        .Advise("raise the lower bound of the input's range");
  }
  return {};
}

Result<ir::Value*> RuntimeSizes::Dimension(const Place& place, ir::Builder& here) {
  ir::Builder& builder = InMain(place.value) ? main_ : here;
  if (&builder != &main_ && place.value->producer != nullptr &&
      place.value->producer->parent() != here.block()) {
    return Unsupported("a size of '{}', which is made in another body of a control-flow operator",
                       place.value->name);
  }
  ir::Value*& shape = shapes_[place.value];
  if (shape == nullptr || !InMain(shape)) {
    ANEMONE_ASSIGN(auto* made,
                   builder.Add("shape", {{"x", place.value}}, place.value->name + "_shape"));
    shape = made->output();
  }
  ANEMONE_ASSIGN(auto* size, builder.Add("gather",
                                         {{"x", shape},
                                          {"indices", ir::Ints({static_cast<int64_t>(place.axis)})},
                                          {"axis", ir::Literal::Int32(0)}},
                                         place.value->name + "_size"));
  return size->output();
}

Result<ir::Value*> RuntimeSizes::Value(int64_t size, ir::Builder& here) {
  if (!Symbols::IsSymbol(size)) {
    if (size < INT32_MIN || size > INT32_MAX)
      return Unsupported("a size of {}, beyond 32 bits", size);
    return main_.Const(ir::Ints({size}), "size");
  }
  const auto written = written_.find(size);
  if (written != written_.end()) return written->second;
  const auto bounds = symbols_.BoundsOf(size);
  if ((bounds.high > INT32_MAX && bounds.high < Symbols::kUnbounded) ||
      (bounds.low < INT32_MIN && bounds.low > -Symbols::kUnbounded)) {
    return Unsupported("the size {} can be {}, beyond 32 bits", symbols_.Text(size),
                       bounds.high > INT32_MAX ? bounds.high : bounds.low)
        .Advise("give the open dimensions smaller bounds");
  }
  const auto place = places_.find(size);
  ir::Value* value = nullptr;
  if (place != places_.end()) {
    ANEMONE_ASSIGN(value, Dimension(place->second, here));
  } else {
    ANEMONE_ASSIGN(value, Expression(size, here));
  }
  if (InMain(value)) written_.emplace(size, value);
  return value;
}

// The sum of its terms.
Result<ir::Value*> RuntimeSizes::Expression(int64_t size, ir::Builder& here) {
  ir::Value* sum = nullptr;
  const auto combine = [&](std::string_view type, ir::Value* x,
                           ir::Value* y) -> Result<ir::Value*> {
    ir::Builder& builder = InMain(x) && InMain(y) ? main_ : here;
    ANEMONE_ASSIGN(auto* made, builder.Add(type, {{"x", x}, {"y", y}}, "size"));
    return made->output();
  };
  const Symbols::Polynomial polynomial = symbols_.PolynomialOf(size);
  for (const auto& [monomial, coefficient] : polynomial) {
    ir::Value* product = nullptr;
    for (const int32_t index : monomial) {
      const Symbols::Atom atom = symbols_.AtomAt(index);
      const int64_t alone = symbols_.SizeOfAtom(index);
      ir::Value* factor = nullptr;
      if (alone != size) {
        ANEMONE_ASSIGN(factor, Value(alone, here));
      } else if (atom.kind == Symbols::AtomKind::kOpen) {
        return Internal("nothing has the size '{}'", atom.name);
      } else {
        ANEMONE_ASSIGN(ir::Value * a, Value(atom.a, here));
        ANEMONE_ASSIGN(ir::Value * b, Value(atom.b, here));
        const std::string_view type = atom.kind == Symbols::AtomKind::kFloorDiv ? "floor_div"
                                      : atom.kind == Symbols::AtomKind::kMin    ? "minimum"
                                                                                : "maximum";
        ANEMONE_ASSIGN(factor, combine(type, a, b));
      }
      if (product == nullptr) {
        product = factor;
      } else {
        ANEMONE_ASSIGN(product, combine("mul", product, factor));
      }
    }
    if (product == nullptr) {
      ANEMONE_ASSIGN(product, Value(coefficient, here));
    } else if (coefficient != 1) {
      ANEMONE_ASSIGN(ir::Value * number, Value(coefficient, here));
      ANEMONE_ASSIGN(product, combine("mul", product, number));
    }
    if (sum == nullptr) {
      sum = product;
    } else {
      ANEMONE_ASSIGN(sum, combine("add", sum, product));
    }
  }
  return sum;
}

Result<ir::Value*> RuntimeSizes::Vector(const std::vector<int64_t>& sizes, ir::Builder& here,
                                        std::string_view name) {
  if (std::ranges::none_of(sizes, Symbols::IsSymbol)) return main_.Const(ir::Ints(sizes), name);
  std::vector<ir::Value*> parts;
  bool main = true;
  for (size_t i = 0; i < sizes.size();) {
    // A run of numbers is one constant.
    std::vector<int64_t> numbers;
    while (i < sizes.size() && !Symbols::IsSymbol(sizes[i])) numbers.push_back(sizes[i++]);
    if (!numbers.empty()) {
      for (const int64_t number : numbers) {
        if (number < INT32_MIN || number > INT32_MAX)
          return Unsupported("a size of {}, beyond 32 bits", number);
      }
      parts.push_back(main_.Const(ir::Ints(numbers), std::string(name) + "_sizes"));
    }
    if (i == sizes.size()) break;
    ANEMONE_ASSIGN(ir::Value * part, Value(sizes[i++], here));
    main = main && InMain(part);
    parts.push_back(part);
  }
  if (parts.size() == 1) return parts[0];
  ANEMONE_ASSIGN(auto* made,
                 (main ? main_ : here)
                     .Add("concat", {{"values", parts}, {"axis", ir::Literal::Int32(0)}}, name));
  return made->output();
}

}  // namespace anemone::onnx
