#include "neural_network/layer_context.h"

#include <algorithm>
#include <cmath>

#include "neural_network/known_values.h"

namespace anemone::neural_network {
namespace {

// The dimensions that are not 1: two shapes that agree in them differ only by expand_dims and
// squeeze.
ir::Shape WithoutOnes(const ir::Shape& dims) {
  ir::Shape rest;
  std::ranges::copy_if(dims, std::back_inserter(rest), [](int64_t dim) { return dim != 1; });
  return rest;
}

std::vector<int64_t> OnesOf(const ir::Shape& dims) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

}  // namespace

bool IsStatic(const ir::Shape& dims) { return std::ranges::find(dims, ir::kDynamic) == dims.end(); }

Result<int64_t> CheckedSize(uint64_t size, std::string_view what, int64_t least) {
  if (size > static_cast<uint64_t>(INT32_MAX) || static_cast<int64_t>(size) < least) {
    return InvalidInput("{} is {}, outside of {} to {}", what, size, least, INT32_MAX);
  }
  return static_cast<int64_t>(size);
}

Result<std::vector<int64_t>> CheckedSizes(const google::protobuf::RepeatedField<uint64_t>& sizes,
                                          std::string_view what, int64_t least) {
  std::vector<int64_t> checked;
  for (const uint64_t size : sizes) {
    ANEMONE_ASSIGN(const int64_t one, CheckedSize(size, what, least));
    checked.push_back(one);
  }
  return checked;
}

Result<std::vector<int64_t>> TwoSizesOr(const google::protobuf::RepeatedField<uint64_t>& given,
                                        std::string_view what, int64_t fallback) {
  if (given.empty()) return std::vector<int64_t>(2, fallback);
  ANEMONE_ASSIGN(auto sizes, CheckedSizes(given, what));
  if (sizes.size() != 2) return InvalidInput("{} has {} values, not 2", what, sizes.size());
  return sizes;
}

LayerContext::LayerContext(const nn::NeuralNetworkLayer& layer, const NetworkTraits& traits,
                           Scope& scope, ir::Builder& builder, std::vector<Blob> inputs)
    : layer_(layer),
      traits_(traits),
      scope_(scope),
      builder_(builder),
      inputs_(std::move(inputs)),
      outputs_(static_cast<size_t>(layer.output_size())) {}

Status LayerContext::CheckCounts(size_t least, size_t most, size_t outputs) const {
  if (InputCount() < least || InputCount() > most) {
    return InvalidInput("it has {} inputs, not {}", InputCount(),
                        least == most ? std::to_string(least) : fmt::format("at least {}", least));
  }
  if (OutputCount() != outputs) {
    return InvalidInput("it has {} outputs, not {}", OutputCount(), outputs);
  }
  return {};
}

Status LayerContext::CheckRank(size_t i, int64_t least) const {
  if (!In(i).ranked) {
    return Unsupported("the rank of its input '{}' is known only at run time",
                       layer_.input(static_cast<int>(i)));
  }
  if (Rank(i) < least) {
    return InvalidInput("its input '{}' has rank {}, less than {}",
                        layer_.input(static_cast<int>(i)), Rank(i), least);
  }
  return {};
}

ir::Value* LayerContext::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
  return nullptr;
}

ir::Value* LayerContext::Under(size_t i) {
  Blob& blob = inputs_[i];
  return blob.ranked ? View(blob.value, blob.dims) : blob.value;
}

ir::Value* LayerContext::Raw(size_t i) { return Under(i); }
ir::Value* LayerContext::Value(size_t i) { return Cast(Under(i), DType::kFp32); }
ir::Value* LayerContext::Int(size_t i) { return Cast(Under(i), DType::kInt32); }
ir::Value* LayerContext::Bool(size_t i) { return Cast(Under(i), DType::kBool); }
ir::Value* LayerContext::Carried(size_t i) { return Cast(inputs_[i].value, DType::kFp32); }

std::vector<ir::Value*> LayerContext::Values() {
  bool ints = true;
  for (size_t i = 0; i < InputCount(); ++i) ints = ints && IsInt(i);
  std::vector<ir::Value*> values;
  for (size_t i = 0; i < InputCount(); ++i) values.push_back(ints ? Int(i) : Value(i));
  return values;
}

std::optional<std::vector<int64_t>> LayerContext::KnownInts(size_t i) const {
  const auto literal = KnownValue(*inputs_[i].value, builder_.function().opset);
  if (!literal) return std::nullopt;
  if (const auto ints = literal->AsInts()) return ints;
  const auto doubles = literal->AsDoubles();
  if (!doubles) return std::nullopt;
  std::vector<int64_t> ints;
  for (const double number : *doubles) {
    if (!(std::abs(number) <= 2147483647.0)) return std::nullopt;
    ints.push_back(static_cast<int64_t>(number));
  }
  return ints;
}

ir::Value* LayerContext::Nchw(size_t i) {
  const ir::Shape& dims = Dims(i);
  ir::Value* value = Carried(i);
  if (value == nullptr) return nullptr;
  ir::Shape wanted = dims;
  if (dims.size() < 4) {
    wanted.insert(wanted.begin(), 4 - dims.size(), 1);
  } else if (dims.size() > 4) {
    int64_t lead = 1;
    for (size_t d = 0; d + 3 < dims.size(); ++d) {
      lead = lead == ir::kDynamic || dims[d] == ir::kDynamic ? ir::kDynamic : lead * dims[d];
    }
    wanted.assign(dims.end() - 3, dims.end());
    wanted.insert(wanted.begin(), lead);
  }
  return View(value, wanted);
}

std::vector<ir::Value*> LayerContext::Aligned(ir::Shape* lead) {
  bool short_form = InputCount() > 0;
  for (size_t i = 0; i < InputCount(); ++i) {
    short_form = short_form && In(i).ranked && Rank(i) == kMaxRank && Dims(i)[0] == 1;
  }
  std::vector<ir::Value*> values;
  for (size_t i = 0; i < InputCount(); ++i) values.push_back(short_form ? Nchw(i) : Value(i));
  *lead = short_form ? ir::Shape{1} : ir::Shape{};
  return values;
}

Result<int64_t> LayerContext::Axis(size_t i, int64_t axis) const {
  ANEMONE_TRY(CheckRank(i));
  const int64_t rank = Rank(i);
  if (axis < -rank || axis >= rank) {
    return InvalidInput("axis {} of an input of rank {}", axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

std::vector<ir::Value*> LayerContext::MultiOp(std::string_view type, Args args) {
  if (!status_.ok()) return {};
  for (const ir::ArgInit& arg : args) {
    const auto* value = std::get_if<ir::Value*>(&arg.value);
    const auto* values = std::get_if<std::vector<ir::Value*>>(&arg.value);
    const bool missing =
        (value != nullptr && *value == nullptr) ||
        (values != nullptr && std::ranges::find(*values, nullptr) != values->end());
    if (!missing) continue;
    status_ = Internal("the operator {} lacks its argument {}", type, arg.name);
    return {};
  }
  auto operation = builder_.Add(type, std::move(args), name().empty() ? type : name());
  if (!operation.ok()) {
    status_ = std::move(operation).status();
    return {};
  }
  std::vector<ir::Value*> values;
  for (const auto& output : (*operation)->outputs()) values.push_back(output.get());
  return values;
}

ir::Value* LayerContext::Op(std::string_view type, Args args) {
  const auto values = MultiOp(type, std::move(args));
  return values.empty() ? nullptr : values.front();
}

ir::Value* LayerContext::Binary(std::string_view type, ir::Value* x, ir::Value* y) {
  return Op(type, {{"x", x}, {"y", y}});
}

ir::Value* LayerContext::Constant(ir::Literal literal, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  return builder_.Const(std::move(literal), name() + "_" + std::string(suffix));
}

ir::Value* LayerContext::Cast(ir::Value* value, DType dtype) {
  if (value == nullptr || value->type.dtype() == dtype) return value;
  if (value->is_const() && value->type.dtype() == DType::kFp32 && dtype == DType::kInt32) {
    // Known values stay known to inference.
    std::vector<int32_t> ints;
    for (const float number : value->literal->As<float>()) {
      if (!(std::abs(number) < 2147483648.0f)) {
        return Fail(InvalidInput("the constant {} is no integer", number));
      }
      ints.push_back(static_cast<int32_t>(number));
    }
    auto literal = ir::Literal::FromBytes(ir::Type::Tensor(DType::kInt32, value->type.shape()),
                                          Bytes::FromVector(std::move(ints)));
    if (!literal.ok()) return Fail(std::move(literal).status());
    return Constant(std::move(*literal), "ints");
  }
  if (dtype == DType::kBool && value->type.dtype() == DType::kFp32) {
    return Binary("not_equal", value, Float(0));
  }
  return Op("cast", {{"x", value}, {"dtype", ir::Literal::String(std::string(DTypeName(dtype)))}});
}

ir::Value* LayerContext::View(ir::Value* value, const ir::Shape& dims) {
  if (value == nullptr) return nullptr;
  if (!value->type.has_rank()) {
    return Fail(Unsupported("the rank of '{}' is known only at run time", value->name));
  }
  const ir::Shape from = value->type.shape();
  if (from == dims) return value;
  if (IsStatic(from) && IsStatic(dims) && !dims.empty() && !from.empty()) {
    return Op("reshape", {{"x", value}, {"shape", ir::Ints(dims)}});
  }
  if (WithoutOnes(from) == WithoutOnes(dims)) {
    const auto dropped = OnesOf(from), added = OnesOf(dims);
    if (!dropped.empty()) value = Op("squeeze", {{"x", value}, {"axes", ir::Ints(dropped)}});
    if (!added.empty()) value = Op("expand_dims", {{"x", value}, {"axes", ir::Ints(added)}});
    return value;
  }
  if (std::ranges::count(dims, ir::kDynamic) <= 1) {
    return Op("reshape", {{"x", value}, {"shape", ir::Ints(dims)}});
  }
  return Fail(Unsupported("a reshape from {} to {} needs known sizes", ir::ShapeToString(from),
                          ir::ShapeToString(dims)));
}

ir::Value* LayerContext::Transpose(ir::Value* value, const std::vector<int64_t>& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) {
      return Op("transpose", {{"x", value}, {"perm", ir::Ints(perm)}});
    }
  }
  return value;
}

ir::Value* LayerContext::Weights(const nn::WeightParams& params, const ir::Shape& shape,
                                 std::string_view what, size_t channel_axis) {
  if (!status_.ok()) return nullptr;
  auto literal = traits_.weights.Read(params, shape, channel_axis);
  if (!literal.ok()) return Fail(std::move(literal).status().At(what));
  return Constant(std::move(*literal), what);
}

Status LayerContext::SetBlob(size_t output, Blob blob) {
  ANEMONE_TRY(status_);
  if (blob.value == nullptr) return Internal("its conversion made no value");
  if (blob.dims.size() > static_cast<size_t>(kMaxRank)) {
    return Unsupported("its output has rank {}, but Core ML's limit is {}", blob.dims.size(),
                       kMaxRank);
  }
  if (output < outputs_.size()) outputs_[output] = std::move(blob);
  return {};
}

Status LayerContext::SetView(size_t output, ir::Value* value, ir::Shape dims) {
  return SetBlob(output, {value, std::move(dims)});
}

Status LayerContext::Set(size_t output, ir::Value* value) {
  ANEMONE_TRY(status_);
  if (value == nullptr) return Internal("its conversion made no value");
  if (!value->type.has_rank()) return SetBlob(output, {value, {}, false});
  const bool scalar = value->type.is_scalar();
  if (scalar) value = Op("expand_dims", {{"x", value}, {"axes", ir::Ints({0})}});
  ANEMONE_TRY(status_);
  return SetBlob(output, {value, value->type.shape(), true, scalar});
}

Status LayerContext::SetLike(size_t output, ir::Value* value, size_t input) {
  return SetBlob(output, {value, In(input).dims, In(input).ranked, In(input).scalar});
}

Status LayerContext::SetNchw(size_t output, ir::Value* value, size_t input) {
  ANEMONE_TRY(status_);
  const ir::Shape& like = Dims(input);
  ir::Shape dims(value->type.shape().end() - 3, value->type.shape().end());
  if (like.size() > 3) dims.insert(dims.begin(), like.begin(), like.end() - 3);
  return SetView(output, value, std::move(dims));
}

}  // namespace anemone::neural_network
