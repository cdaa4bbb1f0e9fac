#include "format/mil_text_values.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/parse_double.h"
#include "format/compiled_form.h"
#include "format/data_types.h"
#include "format/literal_codec.h"
#include "format/proto/mil.pb.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

using ir::Literal;
using ir::Token;
using ir::Type;

// ---- printing ----

Result<std::string_view> ElementName(int32_t data_type) {
  ANEMONE_ASSIGN(const DType dtype, DTypeOfMil(data_type));
  switch (dtype) {
    case DType::kBf16:
    case DType::kInt4:
    case DType::kUInt1:
    case DType::kUInt2:
    case DType::kUInt3:
    case DType::kUInt4:
    case DType::kUInt6:
      return UnseenForm(fmt::format("a tensor of {}", DTypeName(dtype)));
    default:
      return DTypeName(dtype);
  }
}

Status AppendDimension(const proto::Dimension& dimension, std::string* out) {
  if (dimension.has_constant()) {
    *out += std::to_string(dimension.constant().size());
    return {};
  }
  if (!dimension.has_unknown()) {
    return InvalidInput("a dimension is neither constant nor unknown");
  }
  if (dimension.unknown().variadic()) {
    return UnseenForm("a tensor of unknown rank");
  }
  *out += '?';
  return {};
}

Status AppendTensorType(const proto::TensorType& type, MilDialect dialect, std::string* out) {
  ANEMONE_ASSIGN(const std::string_view element, ElementName(type.datatype()));
  if (type.attributes_size() != 0) {
    return UnseenForm("a tensor type's attributes");
  }
  if (type.rank() != type.dimensions_size()) {
    return InvalidInput("a tensor type of rank {} has {} dimensions", type.rank(),
                        type.dimensions_size());
  }
  if (type.rank() == 0 && dialect == MilDialect::kPlainScalars) {
    *out += element;
    return {};
  }
  *out += "tensor<";
  *out += element;
  *out += ", [";
  bool first = true;
  for (const proto::Dimension& dimension : type.dimensions()) {
    if (!first) *out += ", ";
    first = false;
    ANEMONE_TRY(AppendDimension(dimension, out));
  }
  *out += "]>";
  return {};
}

void AppendElement(const Literal& literal, int64_t index, std::string* out) {
  const DType dtype = literal.dtype();
  const auto place = static_cast<size_t>(index);
  switch (dtype) {
    case DType::kBool:
      *out += ir::IntElement(literal.bytes(), dtype, index) != 0 ? "true" : "false";
      return;
    case DType::kFp16:
      AppendMilFloat(literal.As<Half>()[place], out);
      return;
    case DType::kFp32:
      AppendMilFloat(literal.As<float>()[place], out);
      return;
    case DType::kFp64:
      AppendMilFloat(literal.As<double>()[place], out);
      return;
    default:
      break;
  }
  char buffer[24];
  const int64_t value = ir::IntElement(literal.bytes(), dtype, index);
  const auto end = dtype == DType::kUInt64
                       ? std::to_chars(buffer, std::end(buffer), static_cast<uint64_t>(value)).ptr
                       : std::to_chars(buffer, std::end(buffer), value).ptr;
  out->append(buffer, end);
}

// The elements of one bracket at `depth`, and those nested in it; `next` counts elements.
Status AppendNested(const Literal& literal, size_t depth, int64_t* next, std::string* out) {
  const ir::Shape& shape = literal.shape();
  if (depth == shape.size()) {
    const int64_t index = (*next)++;
    if (literal.dtype() == DType::kString) {
      return AppendMilString(literal.strings()[static_cast<size_t>(index)], out);
    }
    AppendElement(literal, index, out);
    return {};
  }
  *out += '[';
  for (int64_t i = 0; i < shape[depth]; ++i) {
    if (i > 0) *out += ", ";
    ANEMONE_TRY(AppendNested(literal, depth + 1, next, out));
  }
  *out += ']';
  return {};
}

Status AppendContents(const Literal& literal, std::string* out) {
  if (literal.type().is_tensor()) {
    // A dimension of 0 among others would be a nest of any number of empty brackets.
    if (literal.element_count() == 0 && literal.type().rank() > 1) {
      return UnseenForm("an empty " + literal.type().ToString());
    }
    int64_t next = 0;
    return AppendNested(literal, 0, &next, out);
  }
  const bool dictionary = literal.type().kind() == Type::Kind::kDictionary;
  const bool tuple = literal.type().kind() == Type::Kind::kTuple;
  *out += dictionary ? '{' : tuple ? '(' : '[';
  const std::vector<Literal>& elements = literal.elements();
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) *out += ", ";
    if (dictionary && i % 2 == 0) *out += '{';
    // In a dictionary numbers are written in another way than elsewhere.
    if (dictionary && elements[i].dtype() != DType::kString) {
      return UnseenForm("a " + literal.type().ToString());
    }
    ANEMONE_TRY(AppendContents(elements[i], out));
    if (dictionary && i % 2 == 1) *out += '}';
  }
  *out += dictionary ? '}' : tuple ? ')' : ']';
  return {};
}

// ---- reading ----

// The hexadecimal form after its "0x": digits with or without a point, and the power of two.
std::optional<double> HexadecimalFloat(std::string_view text) {
  constexpr int kMaxDigits = 16;
  uint64_t digits = 0;
  int count = 0;
  int exponent = 0;
  bool point = false;
  size_t i = 0;
  for (; i < text.size() && text[i] != 'p'; ++i) {
    if (text[i] == '.' && !point) {
      point = true;
      continue;
    }
    uint8_t digit = 0;
    const auto [end, error] = std::from_chars(&text[i], &text[i] + 1, digit, 16);
    if (error != std::errc() || ++count > kMaxDigits) return std::nullopt;
    digits = digits << 4 | digit;
    if (point) exponent -= 4;
  }
  if (count == 0) return std::nullopt;
  if (i < text.size()) {
    std::string_view power = text.substr(i + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    int value = 0;
    const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), value);
    constexpr int kMaxPower = 1 << 20;  // far beyond any float; no sum below overflows
    if (error != std::errc() || end != power.data() + power.size() || std::abs(value) > kMaxPower)
      return std::nullopt;
    exponent += value;
  }
  return std::ldexp(static_cast<double>(digits), exponent);
}

Result<double> Number(const ir::TokenStream& tokens, const Token& token) {
  std::string_view text = token.text;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::optional<double> value;
  if (text == "inf") {
    value = std::numeric_limits<double>::infinity();
  } else if (text == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (text.starts_with("0x")) {
    value = HexadecimalFloat(text.substr(2));
  } else if (!text.starts_with('-')) {
    value = ParseDouble(text);
  }
  if (!value) return tokens.Fail("'{}' is not a number", token.text);
  return negative ? -*value : *value;
}

template <typename Integer>
Result<Integer> IntegerOf(const ir::TokenStream& tokens, const Token& token) {
  std::string_view text = token.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return tokens.Fail("'{}' is not an integer, or is too large", token.text);
  }
  return value;
}

Result<int64_t> IntegerElement(const ir::TokenStream& tokens, DType dtype, const Token& token) {
  if (dtype == DType::kBool) {
    if (token.text == "true" || token.text == "false") return token.text == "true" ? 1 : 0;
    return tokens.Fail("expected true or false, found '{}'", token.text);
  }
  if (dtype == DType::kUInt64) {  // its upper half as negative numbers: the same bits
    ANEMONE_ASSIGN(const uint64_t wide, IntegerOf<uint64_t>(tokens, token));
    return static_cast<int64_t>(wide);
  }
  ANEMONE_ASSIGN(const int64_t value, IntegerOf<int64_t>(tokens, token));
  const int bits = BitWidth(dtype) - (IsSignedInt(dtype) ? 1 : 0);
  const int64_t high = bits >= 63 ? INT64_MAX : (int64_t{1} << bits) - 1;
  const int64_t low = IsSignedInt(dtype) ? -high - 1 : 0;
  if (value < low || value > high) {
    return tokens.Fail("{} does not fit into {}", token.text, DTypeName(dtype));
  }
  return value;
}

// Each value as Stored; exact where the text is, because a double holds every float.
template <typename Stored, typename Convert>
Bytes Packed(const std::vector<double>& values, const Convert& convert) {
  std::vector<Stored> stored;
  stored.reserve(values.size());
  for (const double value : values) stored.push_back(convert(value));
  return Bytes::FromVector(std::move(stored));
}

Bytes FloatBytes(DType dtype, const std::vector<double>& values) {
  const auto to_float = [](double value) { return static_cast<float>(value); };
  switch (dtype) {
    case DType::kFp64:
      return Packed<double>(values, [](double value) { return value; });
    case DType::kFp32:
      return Packed<float>(values, to_float);
    case DType::kFp16:
      return Packed<uint16_t>(values, [&](double value) { return FloatToHalf(to_float(value)); });
    default:
      return Packed<uint16_t>(values, [&](double value) { return FloatToBf16(to_float(value)); });
  }
}

}  // namespace

Status AppendMilType(const proto::ValueType& type, MilDialect dialect, std::string* out) {
  switch (type.type_case()) {
    case proto::ValueType::kTensorType:
      return AppendTensorType(type.tensortype(), dialect, out);
    case proto::ValueType::kListType:
      *out += "list<";
      ANEMONE_TRY(AppendMilType(type.listtype().type(), dialect, out));
      *out += ", ";
      ANEMONE_TRY(AppendDimension(type.listtype().length(), out));
      break;
    case proto::ValueType::kTupleType: {
      *out += "tuple<";
      bool first = true;
      for (const proto::ValueType& element : type.tupletype().types()) {
        if (!first) *out += ", ";
        first = false;
        ANEMONE_TRY(AppendMilType(element, dialect, out));
      }
      break;
    }
    case proto::ValueType::kDictionaryType:
      *out += "dict<";
      ANEMONE_TRY(AppendMilType(type.dictionarytype().keytype(), dialect, out));
      *out += ", ";
      ANEMONE_TRY(AppendMilType(type.dictionarytype().valuetype(), dialect, out));
      break;
    case proto::ValueType::kStateType:
      return UnseenForm("a state");
    case proto::ValueType::TYPE_NOT_SET:
      return InvalidInput("a value has no type");
  }
  *out += '>';
  return {};
}

Status AppendMilString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    if (c == '"') {
      *out += "\\\"";
    } else if (c < 0x20 || c == 0x7F || c == '\\') {  // what is not ASCII is negative, or above
      return Unsupported(
                 "no public compiled model shows how the character {:#04x} of a string is "
                 "written",
                 static_cast<unsigned>(static_cast<unsigned char>(c)))
          .Advise("use letters, digits and plain punctuation in names and string constants");
    } else {
      *out += c;
    }
  }
  *out += '"';
  return {};
}

void AppendMilFloat(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "nan";
    return;
  }
  if (std::signbit(value)) *out += '-';
  if (std::isinf(value)) {
    *out += "inf";
    return;
  }
  if (value == 0) {
    *out += "0x0p+0";
    return;
  }
  int exponent = 0;
  const double significand = 2 * std::frexp(std::abs(value), &exponent);  // in [1, 2)
  --exponent;
  constexpr int kDigits = 13;  // of the 52 bits below the leading 1
  uint64_t fraction = std::bit_cast<uint64_t>(significand) & ((uint64_t{1} << 52) - 1);
  char digits[kDigits];
  int count = 0;
  for (; fraction != 0; ++count) {
    digits[count] = "0123456789abcdef"[fraction >> 48];
    fraction = (fraction << 4) & ((uint64_t{1} << 52) - 1);
  }
  *out += "0x1";
  if (count > 0) {
    *out += '.';
    out->append(digits, static_cast<size_t>(count));
  }
  *out += exponent < 0 ? "p-" : "p+";
  *out += std::to_string(std::abs(exponent));
}

Status AppendMilValue(const proto::Value& value, MilDialect dialect, std::string* out) {
  if (!value.docstring().empty()) {
    return UnseenForm("a constant's docString");
  }
  ANEMONE_TRY(AppendMilType(value.type(), dialect, out));
  *out += '(';
  if (value.has_blobfilevalue()) {
    const bool plain = dialect == MilDialect::kPlainScalars;
    *out += plain ? "BLOBFILE(path = string(" : "BLOBFILE(path = tensor<string, []>(";
    ANEMONE_TRY(AppendMilString(value.blobfilevalue().filename(), out));
    *out += plain ? "), offset = uint64(" : "), offset = tensor<uint64, []>(";
    *out += std::to_string(value.blobfilevalue().offset()) + "))";
  } else {
    WeightFiles none{std::string()};
    ANEMONE_ASSIGN(const Literal literal, DecodeLiteral(value, none));
    ANEMONE_TRY(AppendContents(literal, out));
  }
  *out += ')';
  return {};
}

Status MilValueReader::Read(proto::Value* value) {
  ANEMONE_ASSIGN(const Type type, ReadType());
  ANEMONE_TRY(tokens_.Expect("("));
  if (tokens_.Is("BLOBFILE")) {
    ANEMONE_TRY(EncodeType(type, value->mutable_type()));
    ANEMONE_TRY(ReadBlob(value));
  } else {
    ANEMONE_ASSIGN(const Literal literal, ReadContents(type));
    ANEMONE_TRY(EncodeLiteral(literal, LiteralTarget{}, value));
  }
  return tokens_.Expect(")");
}

Result<Literal> MilValueReader::ReadLiteral() {
  ANEMONE_ASSIGN(const Type type, ReadType());
  ANEMONE_TRY(tokens_.Expect("("));
  ANEMONE_ASSIGN(Literal literal, ReadContents(type));
  ANEMONE_TRY(tokens_.Expect(")"));
  return literal;
}

Status MilValueReader::ReadBlob(proto::Value* value) {
  ANEMONE_TRY(tokens_.Expect("BLOBFILE"));
  ANEMONE_TRY(tokens_.Expect("("));
  ANEMONE_TRY(tokens_.Expect("path"));
  ANEMONE_TRY(tokens_.Expect("="));
  ANEMONE_ASSIGN(const Literal path, ReadLiteral());
  ANEMONE_TRY(tokens_.Expect(","));
  ANEMONE_TRY(tokens_.Expect("offset"));
  ANEMONE_TRY(tokens_.Expect("="));
  ANEMONE_ASSIGN(const Literal offset, ReadLiteral());
  if (!path.AsString() || !offset.type().is_scalar() || offset.dtype() != DType::kUInt64) {
    return tokens_.Fail("BLOBFILE takes the path as a string and the offset as an uint64");
  }
  value->mutable_blobfilevalue()->set_filename(*path.AsString());
  value->mutable_blobfilevalue()->set_offset(offset.As<uint64_t>()[0]);
  return tokens_.Expect(")");
}

Result<Literal> MilValueReader::ReadContents(const Type& type) {
  switch (type.kind()) {
    case Type::Kind::kTensor:
      return ReadTensor(type);
    case Type::Kind::kDictionary:
      return ReadDictionary(type);
    case Type::Kind::kState:
      return tokens_.Fail("a constant cannot have the type {}", type.ToString());
    case Type::Kind::kList:
    case Type::Kind::kTuple:
      break;
  }
  // The nesting is that of the type, whose depth the type's parser has limited.
  const bool list = type.is_list();
  const std::string_view close = list ? "]" : ")";
  std::vector<Literal> elements;
  ANEMONE_TRY(tokens_.Expect(list ? "[" : "("));
  while (!tokens_.Is(close)) {
    if (!elements.empty()) ANEMONE_TRY(tokens_.Expect(","));
    if (!list && elements.size() >= type.elements().size()) {
      return tokens_.Fail("{} has more values", type.ToString());
    }
    ANEMONE_ASSIGN(Literal element, ReadContents(type.elements()[list ? 0 : elements.size()]));
    elements.push_back(std::move(element));
  }
  const auto count = static_cast<int64_t>(elements.size());
  const int64_t wanted = list ? type.list_length() : static_cast<int64_t>(type.elements().size());
  if (wanted != ir::kDynamic && wanted != count) {
    return tokens_.Fail("{} values are given for {}", count, type.ToString());
  }
  ANEMONE_TRY(tokens_.Expect(close));
  return Literal::Compound(type, std::move(elements));
}

Result<Literal> MilValueReader::ReadDictionary(const Type& type) {
  std::vector<Literal> elements;
  ANEMONE_TRY(tokens_.Expect("{"));
  while (!tokens_.Is("}")) {
    if (!elements.empty()) ANEMONE_TRY(tokens_.Expect(","));
    ANEMONE_TRY(tokens_.Expect("{"));
    ANEMONE_ASSIGN(Literal key, ReadContents(type.elements()[0]));
    ANEMONE_TRY(tokens_.Expect(","));
    ANEMONE_ASSIGN(Literal value, ReadContents(type.elements()[1]));
    ANEMONE_TRY(tokens_.Expect("}"));
    elements.push_back(std::move(key));
    elements.push_back(std::move(value));
  }
  ANEMONE_TRY(tokens_.Expect("}"));
  return Literal::Compound(type, std::move(elements));
}

Status MilValueReader::ReadElement(const Type& type, Elements* elements) {
  const DType dtype = type.dtype();
  const Token& token = tokens_.current();
  const bool number =
      token.kind == Token::Kind::kNumber || token.kind == Token::Kind::kIdentifier;  // true, inf
  if (dtype == DType::kString ? token.kind != Token::Kind::kString : !number) {
    return tokens_.Fail("expected a value of {}, found '{}'", type.ToString(),
                        token.kind == Token::Kind::kEnd ? "the end" : token.text);
  }
  if (dtype == DType::kString) {
    elements->strings.push_back(token.unescaped);
  } else if (IsFloat(dtype)) {
    ANEMONE_ASSIGN(const double value, Number(tokens_, token));
    elements->floats.push_back(value);
  } else {
    ANEMONE_ASSIGN(const int64_t value, IntegerElement(tokens_, dtype, token));
    elements->ints.push_back(value);
  }
  return tokens_.Advance();
}

Status MilValueReader::ReadElements(const Type& type, size_t depth, ir::Shape* shape,
                                    Elements* elements) {
  if (depth == shape->size()) return ReadElement(type, elements);
  ANEMONE_TRY(tokens_.Expect("["));
  int64_t count = 0;
  while (!tokens_.Is("]")) {
    if (count > 0) ANEMONE_TRY(tokens_.Expect(","));
    ANEMONE_TRY(ReadElements(type, depth + 1, shape, elements));
    ++count;
  }
  int64_t& size = (*shape)[depth];
  if (size == ir::kDynamic) size = count;
  if (size != count) {
    return tokens_.Fail("a bracket of {} holds {} values, not {}", type.ToString(), count, size);
  }
  return tokens_.Expect("]");
}

Result<Literal> MilValueReader::ReadTensor(const Type& type) {
  if (!type.has_rank()) return tokens_.Fail("a constant cannot have the type {}", type.ToString());
  const DType dtype = type.dtype();
  ir::Shape shape = type.shape();
  Elements elements;
  ANEMONE_TRY(ReadElements(type, 0, &shape, &elements));
  for (int64_t& size : shape) size = std::max<int64_t>(size, 0);  // unknown below an empty bracket
  Type given = Type::Tensor(dtype, std::move(shape));
  if (dtype == DType::kString) {
    if (given.is_scalar()) return Literal::String(std::move(elements.strings[0]));
    if (given.rank() == 1) return Literal::Strings(std::move(elements.strings));
    return Unsupported("a constant of type {} is not supported", given.ToString());
  }
  return Literal::FromBytes(std::move(given), IsFloat(dtype) ? FloatBytes(dtype, elements.floats)
                                                             : ir::PackInts(elements.ints, dtype));
}

}  // namespace anemone::format
