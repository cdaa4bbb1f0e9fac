#include "format/literal_codec.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "format/data_types.h"
#include "format/package_layout.h"
#include "format/proto/mil.pb.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

using ir::Literal;
using ir::Type;

constexpr int64_t kMinWeightFileElements = 10;

// Which field of TensorValue holds an element type's immediate values: the choice of Core ML's own
// parser.
enum class Field { kFloats, kInts, kBools, kStrings, kLongInts, kDoubles, kBytes };

Field FieldOf(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return Field::kFloats;
    case DType::kFp64:
      return Field::kDoubles;
    case DType::kBool:
      return Field::kBools;
    case DType::kString:
      return Field::kStrings;
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kInt32:
      return Field::kInts;
    case DType::kInt64:
    case DType::kUInt64:
      return Field::kLongInts;
    default:
      return Field::kBytes;
  }
}

// ---- reading ----

Error CountMismatch(const Type& type, int64_t given) {
  return InvalidInput("a constant of type {} has {} values", type.ToString(), given);
}

// The values of a repeated field as an array of Stored. Checked before anything of the declared
// size is allocated.
template <typename Stored, typename Repeated>
Result<Literal> FromValues(Type type, const Repeated& values) {
  if (values.size() != type.element_count()) return CountMismatch(type, values.size());
  std::vector<Stored> array;
  array.reserve(static_cast<size_t>(values.size()));
  for (const auto value : values) {
    if constexpr (sizeof(Stored) < sizeof(value)) {
      if (value < std::numeric_limits<Stored>::min() ||
          value > std::numeric_limits<Stored>::max()) {
        return InvalidInput("value {} does not fit {}", value, DTypeName(type.dtype()));
      }
    }
    array.push_back(static_cast<Stored>(value));
  }
  return Literal::FromBytes(std::move(type), Bytes::FromVector(std::move(array)));
}

Result<Literal> FromInts(Type type, const proto::TensorValue::RepeatedInts& ints) {
  switch (type.dtype()) {
    case DType::kInt8:
      return FromValues<int8_t>(std::move(type), ints.values());
    case DType::kUInt8:
      return FromValues<uint8_t>(std::move(type), ints.values());
    case DType::kInt16:
      return FromValues<int16_t>(std::move(type), ints.values());
    case DType::kUInt16:
      return FromValues<uint16_t>(std::move(type), ints.values());
    case DType::kInt32:
      return FromValues<int32_t>(std::move(type), ints.values());
    case DType::kUInt32:
      return FromValues<uint32_t>(std::move(type), ints.values());
    default:
      break;
  }
  return InvalidInput("a constant of type {} cannot hold 32-bit integers", type.ToString());
}

Result<Literal> FromBytesField(Type type, const std::string& bytes) {
  if (type.dtype() == DType::kBool) {
    return InvalidInput("a constant of type {} cannot hold bytes", type.ToString());
  }
  return Literal::FromBytes(std::move(type), Bytes::Copy(bytes.data(), bytes.size()));
}

Result<Literal> FromStrings(const Type& type, const proto::TensorValue::RepeatedStrings& wire) {
  if (wire.values_size() != type.element_count()) return CountMismatch(type, wire.values_size());
  std::vector<std::string> strings;
  for (const std::string& value : wire.values()) {
    ANEMONE_ASSIGN(std::string text, CheckedText(value, "a string constant"));
    strings.push_back(std::move(text));
  }
  if (type.is_scalar()) return Literal::String(std::move(strings[0]));
  if (type.rank() == 1) return Literal::Strings(std::move(strings));
  return Unsupported("a constant of type {} is not supported", type.ToString());
}

Result<Literal> DecodeTensor(Type type, const proto::TensorValue& wire) {
  using Wire = proto::TensorValue;
  if (!type.is_tensor() || !type.is_static()) {
    return InvalidInput("a tensor constant cannot have the type {}", type.ToString());
  }
  const DType dtype = type.dtype();
  const auto holds = [&](std::initializer_list<DType> dtypes) {
    return std::ranges::find(dtypes, dtype) != dtypes.end();
  };
  switch (wire.value_case()) {
    case Wire::kFloats:
      if (holds({DType::kFp32})) return FromValues<float>(std::move(type), wire.floats().values());
      break;
    case Wire::kDoubles:
      if (holds({DType::kFp64}))
        return FromValues<double>(std::move(type), wire.doubles().values());
      break;
    case Wire::kBools:
      if (holds({DType::kBool})) return FromValues<uint8_t>(std::move(type), wire.bools().values());
      break;
    case Wire::kLongInts:
      // Both 64-bit types travel as the same bits.
      if (holds({DType::kInt64, DType::kUInt64})) {
        return FromValues<int64_t>(std::move(type), wire.longints().values());
      }
      break;
    case Wire::kStrings:
      if (holds({DType::kString})) return FromStrings(type, wire.strings());
      break;
    case Wire::kInts:
      return FromInts(std::move(type), wire.ints());
    case Wire::kBytes:
      if (!holds({DType::kString})) return FromBytesField(std::move(type), wire.bytes().values());
      break;
    case Wire::VALUE_NOT_SET:
      return InvalidInput("a constant has no values");
  }
  return InvalidInput("a constant of type {} holds values of another type", type.ToString());
}

Result<std::vector<Literal>> DecodeAll(
    const google::protobuf::RepeatedPtrField<proto::Value>& values, WeightFiles& weights) {
  std::vector<Literal> literals;
  literals.reserve(static_cast<size_t>(values.size()));
  for (const proto::Value& value : values) {
    ANEMONE_ASSIGN(Literal literal, DecodeLiteral(value, weights));
    literals.push_back(std::move(literal));
  }
  return literals;
}

Result<Literal> DecodeImmediate(Type type, const proto::Value::ImmediateValue& wire,
                                WeightFiles& weights) {
  using Wire = proto::Value::ImmediateValue;
  const Type::Kind kind = type.kind();
  switch (wire.value_case()) {
    case Wire::kTensor:
      return DecodeTensor(std::move(type), wire.tensor());
    case Wire::kTuple: {
      if (kind != Type::Kind::kTuple) break;
      ANEMONE_ASSIGN(std::vector<Literal> elements, DecodeAll(wire.tuple().values(), weights));
      if (elements.size() != type.elements().size()) {
        return CountMismatch(type, static_cast<int64_t>(elements.size()));
      }
      return Literal::Compound(std::move(type), std::move(elements));
    }
    case Wire::kList: {
      if (kind != Type::Kind::kList) break;
      ANEMONE_ASSIGN(std::vector<Literal> elements, DecodeAll(wire.list().values(), weights));
      if (type.list_length() != ir::kDynamic &&
          type.list_length() != static_cast<int64_t>(elements.size())) {
        return CountMismatch(type, static_cast<int64_t>(elements.size()));
      }
      return Literal::Compound(std::move(type), std::move(elements));
    }
    case Wire::kDictionary: {
      if (kind != Type::Kind::kDictionary) break;
      std::vector<Literal> elements;  // key, value, key, value ...
      for (const auto& pair : wire.dictionary().values()) {
        ANEMONE_ASSIGN(Literal key, DecodeLiteral(pair.key(), weights));
        ANEMONE_ASSIGN(Literal value, DecodeLiteral(pair.value(), weights));
        elements.push_back(std::move(key));
        elements.push_back(std::move(value));
      }
      return Literal::Compound(std::move(type), std::move(elements));
    }
    case Wire::VALUE_NOT_SET:
      return InvalidInput("a constant has no value");
  }
  return InvalidInput("a constant of type {} holds a value of another kind", type.ToString());
}

Result<Literal> DecodeBlob(Type type, const proto::Value::BlobFileValue& wire,
                           WeightFiles& weights) {
  const std::optional<int64_t> count = type.is_tensor() ? type.element_count() : std::nullopt;
  if (!count) {
    return InvalidInput("a constant in a weight file cannot have the type {}", type.ToString());
  }
  ANEMONE_ASSIGN(const std::string reference, CheckedName(wire.filename(), "a weight file's name"));
  ANEMONE_ASSIGN(Bytes bytes, weights.Read(reference, wire.offset(), type.dtype(), *count));
  return Literal::FromBytes(std::move(type), std::move(bytes));
}

// ---- writing ----

template <typename Stored, typename Repeated>
void ToValues(const Literal& literal, Repeated* values) {
  const std::span<const Stored> elements = literal.As<Stored>();
  values->Reserve(static_cast<int>(elements.size()));
  for (const Stored element : elements) values->Add(element);
}

Status EncodeTensor(const Literal& literal, proto::TensorValue* wire) {
  switch (FieldOf(literal.dtype())) {
    case Field::kFloats:
      ToValues<float>(literal, wire->mutable_floats()->mutable_values());
      break;
    case Field::kDoubles:
      ToValues<double>(literal, wire->mutable_doubles()->mutable_values());
      break;
    case Field::kBools:
      ToValues<uint8_t>(literal, wire->mutable_bools()->mutable_values());
      break;
    case Field::kLongInts:
      ToValues<int64_t>(literal, wire->mutable_longints()->mutable_values());
      break;
    case Field::kInts: {
      auto* values = wire->mutable_ints()->mutable_values();
      if (literal.dtype() == DType::kInt16) {
        ToValues<int16_t>(literal, values);
      } else if (literal.dtype() == DType::kUInt16) {
        ToValues<uint16_t>(literal, values);
      } else {
        ToValues<int32_t>(literal, values);
      }
      break;
    }
    case Field::kStrings:
      wire->mutable_strings();
      for (const std::string& text : literal.strings()) wire->mutable_strings()->add_values(text);
      break;
    case Field::kBytes:
      wire->mutable_bytes()->set_values(literal.bytes().data(), literal.bytes().size());
      break;
  }
  return {};
}

Status EncodeImmediate(const Literal& literal, const LiteralTarget& target,
                       proto::Value::ImmediateValue* wire) {
  const std::vector<Literal>& elements = literal.elements();
  switch (literal.type().kind()) {
    case Type::Kind::kTensor:
      return EncodeTensor(literal, wire->mutable_tensor());
    case Type::Kind::kTuple:
      wire->mutable_tuple();
      for (const Literal& element : elements) {
        ANEMONE_TRY(EncodeLiteral(element, target, wire->mutable_tuple()->add_values()));
      }
      return {};
    case Type::Kind::kList:
      wire->mutable_list();
      for (const Literal& element : elements) {
        ANEMONE_TRY(EncodeLiteral(element, target, wire->mutable_list()->add_values()));
      }
      return {};
    case Type::Kind::kDictionary:
      wire->mutable_dictionary();
      for (size_t i = 0; i + 1 < elements.size(); i += 2) {
        auto* pair = wire->mutable_dictionary()->add_values();
        ANEMONE_TRY(EncodeLiteral(elements[i], target, pair->mutable_key()));
        ANEMONE_TRY(EncodeLiteral(elements[i + 1], target, pair->mutable_value()));
      }
      return {};
    case Type::Kind::kState:
      break;
  }
  return Internal("a constant cannot have the type {}", literal.type().ToString());
}

}  // namespace

Result<Literal> DecodeLiteral(const proto::Value& wire, WeightFiles& weights) {
  ANEMONE_ASSIGN(Type type, DecodeType(wire.type()));
  switch (wire.value_case()) {
    case proto::Value::kImmediateValue:
      return DecodeImmediate(std::move(type), wire.immediatevalue(), weights);
    case proto::Value::kBlobFileValue:
      return DecodeBlob(std::move(type), wire.blobfilevalue(), weights);
    case proto::Value::VALUE_NOT_SET:
      break;
  }
  return InvalidInput("a constant has neither an immediate value nor a place in a weight file");
}

bool BelongsInWeightFile(const Literal& literal, int32_t spec_version) {
  constexpr int32_t kIOS18 = 9;
  if (!literal.type().is_tensor() || literal.element_count() < kMinWeightFileElements) return false;
  switch (literal.dtype()) {
    case DType::kFp16:
    case DType::kFp32:
    case DType::kBf16:
    case DType::kInt8:
    case DType::kUInt8:
    // coremltools holds the sub-byte types as 8-bit ones, so the same rule covers both.
    case DType::kInt4:
    case DType::kUInt1:
    case DType::kUInt2:
    case DType::kUInt3:
    case DType::kUInt4:
    case DType::kUInt6:
      return true;
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kInt32:
    case DType::kUInt32:
      return spec_version >= kIOS18;
    default:
      return false;
  }
}

Status EncodeLiteral(const Literal& literal, const LiteralTarget& target, proto::Value* wire) {
  ANEMONE_TRY(EncodeType(literal.type(), wire->mutable_type()));
  if (target.weights == nullptr || !BelongsInWeightFile(literal, target.spec_version)) {
    return EncodeImmediate(literal, target, wire->mutable_immediatevalue());
  }
  ANEMONE_ASSIGN(const uint64_t offset,
                 target.weights->Add(literal.dtype(), literal.element_count(), literal.bytes()));
  proto::Value::BlobFileValue* blob = wire->mutable_blobfilevalue();
  blob->set_filename(fmt::format("@model_path/{}/{}", kWeightsName, kWeightFileName));
  blob->set_offset(offset);
  return {};
}

}  // namespace anemone::format
