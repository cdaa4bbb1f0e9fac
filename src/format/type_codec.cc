#include "format/type_codec.h"

#include "format/data_types.h"
#include "format/proto/mil.pb.h"

namespace anemone::format {
namespace {

Result<int64_t> DecodeDimension(const proto::Dimension& wire) {
  switch (wire.dimension_case()) {
    case proto::Dimension::kConstant:
      if (wire.constant().size() > static_cast<uint64_t>(kMaxTensorElements)) {
        return InvalidInput("a dimension of {} exceeds the limit of {}", wire.constant().size(),
                            kMaxTensorElements);
      }
      return static_cast<int64_t>(wire.constant().size());
    case proto::Dimension::kUnknown:
      return ir::kDynamic;
    case proto::Dimension::DIMENSION_NOT_SET:
      break;
  }
  return InvalidInput("a dimension is neither constant nor unknown");
}

Result<ir::Type> DecodeTensorType(const proto::TensorType& wire) {
  ANEMONE_ASSIGN(const DType dtype, DTypeOfMil(wire.datatype()));
  if (wire.attributes_size() != 0) {
    return Unsupported("a tensor type with attributes ('{}') is not supported",
                       wire.attributes(0).key());
  }
  ir::Shape shape;
  bool variadic = wire.rank() < 0;
  int64_t elements = 1;
  for (const proto::Dimension& dimension : wire.dimensions()) {
    ANEMONE_ASSIGN(const int64_t size, DecodeDimension(dimension));
    if (size == ir::kDynamic && dimension.unknown().variadic()) variadic = true;
    // Both factors are at most 2^35 before each step, so the product fits 64 bits once it is at
    // most the limit.
    if (size > 0 && elements > kMaxTensorElements / size) {
      return InvalidInput("a tensor type exceeds the limit of {} elements", kMaxTensorElements);
    }
    if (size > 0) elements *= size;
    shape.push_back(size);
  }
  if (variadic) return ir::Type::UnrankedTensor(dtype);
  if (wire.rank() != static_cast<int64_t>(shape.size())) {
    return InvalidInput("a tensor type of rank {} has {} dimensions", wire.rank(), shape.size());
  }
  return ir::Type::Tensor(dtype, std::move(shape));
}

void EncodeDimension(int64_t size, proto::Dimension* wire) {
  if (size == ir::kDynamic) {
    wire->mutable_unknown()->set_variadic(false);
  } else {
    wire->mutable_constant()->set_size(static_cast<uint64_t>(size));
  }
}

Status EncodeTensorType(const ir::Type& type, proto::TensorType* wire) {
  ANEMONE_ASSIGN(const int32_t data_type, MilOfDType(type.dtype()));
  wire->set_datatype(data_type);
  if (!type.has_rank()) {
    wire->set_rank(1);  // one variadic dimension stands for any number of dimensions
    wire->add_dimensions()->mutable_unknown()->set_variadic(true);
    return {};
  }
  wire->set_rank(type.rank());
  for (const int64_t size : type.shape()) EncodeDimension(size, wire->add_dimensions());
  return {};
}

}  // namespace

Result<ir::Type> DecodeType(const proto::ValueType& wire) {
  switch (wire.type_case()) {
    case proto::ValueType::kTensorType:
      return DecodeTensorType(wire.tensortype());
    case proto::ValueType::kListType: {
      ANEMONE_ASSIGN(ir::Type element, DecodeType(wire.listtype().type()));
      ANEMONE_ASSIGN(const int64_t length, DecodeDimension(wire.listtype().length()));
      return ir::Type::List(std::move(element), length);
    }
    case proto::ValueType::kTupleType: {
      std::vector<ir::Type> elements;
      for (const proto::ValueType& element : wire.tupletype().types()) {
        ANEMONE_ASSIGN(ir::Type type, DecodeType(element));
        elements.push_back(std::move(type));
      }
      return ir::Type::Tuple(std::move(elements));
    }
    case proto::ValueType::kDictionaryType: {
      ANEMONE_ASSIGN(ir::Type key, DecodeType(wire.dictionarytype().keytype()));
      ANEMONE_ASSIGN(ir::Type value, DecodeType(wire.dictionarytype().valuetype()));
      return ir::Type::Dictionary(std::move(key), std::move(value));
    }
    case proto::ValueType::kStateType: {
      ANEMONE_ASSIGN(ir::Type wrapped, DecodeType(wire.statetype().wrappedtype()));
      if (!wrapped.is_tensor()) return InvalidInput("a state must wrap a tensor");
      return ir::Type::State(std::move(wrapped));
    }
    case proto::ValueType::TYPE_NOT_SET:
      break;
  }
  return InvalidInput("a type is missing");
}

Status EncodeType(const ir::Type& type, proto::ValueType* wire) {
  switch (type.kind()) {
    case ir::Type::Kind::kTensor:
      return EncodeTensorType(type, wire->mutable_tensortype());
    case ir::Type::Kind::kList:
      EncodeDimension(type.list_length(), wire->mutable_listtype()->mutable_length());
      return EncodeType(type.elements()[0], wire->mutable_listtype()->mutable_type());
    case ir::Type::Kind::kTuple:
      wire->mutable_tupletype();
      for (const ir::Type& element : type.elements()) {
        ANEMONE_TRY(EncodeType(element, wire->mutable_tupletype()->add_types()));
      }
      return {};
    case ir::Type::Kind::kDictionary:
      ANEMONE_TRY(
          EncodeType(type.elements()[0], wire->mutable_dictionarytype()->mutable_keytype()));
      return EncodeType(type.elements()[1], wire->mutable_dictionarytype()->mutable_valuetype());
    case ir::Type::Kind::kState:
      return EncodeType(type.elements()[0], wire->mutable_statetype()->mutable_wrappedtype());
  }
  return Internal("a type of unknown kind");
}

}  // namespace anemone::format
