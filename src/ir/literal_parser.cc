#include "ir/literal_parser.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace anemone::ir {
namespace {

constexpr int kMaxDepth = 32;
constexpr int64_t kMaxSplatBytes = int64_t{1} << 31;

bool IsTypeWord(std::string_view word) {
  return word == "tensor" || word == "list" || word == "tuple" || word == "dict" || word == "state";
}

// SplitMix64: a value of the sequence that `seed` starts, without keeping state.
double SeededValue(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0x9E3779B97F4A7C15ull + (index + 1) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) / static_cast<double>(1 << 23) - 1.0;
}

void AppendElement(DType dtype, double value, std::vector<std::byte>* bytes) {
  const auto append = [&](auto typed) {
    const auto* raw = reinterpret_cast<const std::byte*>(&typed);
    bytes->insert(bytes->end(), raw, raw + sizeof(typed));
  };
  switch (dtype) {
    case DType::kFp16:
      append(FloatToHalf(static_cast<float>(value)));
      break;
    case DType::kBf16:
      append(FloatToBf16(static_cast<float>(value)));
      break;
    case DType::kFp32:
      append(static_cast<float>(value));
      break;
    default:
      append(value);
      break;
  }
}

}  // namespace

Status TokenStream::Advance() {
  ANEMONE_ASSIGN(current_, lexer_.Next());
  return {};
}

Result<Token> TokenStream::Peek() {
  Lexer ahead = lexer_;
  return ahead.Next();
}

bool TokenStream::Is(std::string_view text) const {
  return current_.kind != Token::Kind::kString && current_.kind != Token::Kind::kEnd &&
         current_.text == text;
}

Result<bool> TokenStream::Accept(std::string_view text) {
  if (!Is(text)) return false;
  ANEMONE_TRY(Advance());
  return true;
}

Status TokenStream::Expect(std::string_view text) {
  if (!Is(text)) {
    return Fail("expected '{}', found '{}'", text,
                current_.kind == Token::Kind::kEnd ? "the end" : current_.text);
  }
  return Advance();
}

Result<std::string> TokenStream::ExpectIdentifier(std::string_view what) {
  if (current_.kind != Token::Kind::kIdentifier) {
    return Fail("expected {}, found '{}'", what,
                current_.kind == Token::Kind::kEnd ? "the end" : current_.text);
  }
  std::string name(current_.text);
  ANEMONE_TRY(Advance());
  return name;
}

Result<bool> LiteralParser::AtType() {
  const Token& token = tokens_.current();
  if (token.kind != Token::Kind::kIdentifier) return false;
  if (!IsTypeWord(token.text) && !DTypeFromName(token.text)) return false;
  ANEMONE_ASSIGN(const Token next, tokens_.Peek());
  return next.text == "<" || next.text == "(" || next.kind == Token::Kind::kIdentifier;
}

Result<Shape> LiteralParser::ParseShape() {
  ANEMONE_TRY(tokens_.Expect("["));
  Shape shape;
  while (!tokens_.Is("]")) {
    if (!shape.empty()) ANEMONE_TRY(tokens_.Expect(","));
    const Token token = tokens_.current();
    if (token.kind == Token::Kind::kNumber) {
      ANEMONE_ASSIGN(const int64_t dim, Integer(token));
      if (dim < 0) return tokens_.Fail("a dimension must not be negative, but is {}", dim);
      shape.push_back(dim);
    } else if (token.text == "?" || token.kind == Token::Kind::kIdentifier) {
      shape.push_back(kDynamic);
    } else {
      return tokens_.Fail("expected a dimension");
    }
    ANEMONE_TRY(tokens_.Advance());
    if (shape.size() > 32) return tokens_.Fail("a tensor has at most 32 dimensions");
  }
  ANEMONE_TRY(tokens_.Expect("]"));
  return shape;
}

Result<Type> LiteralParser::ParseType() {
  if (++depth_ > kMaxDepth) return tokens_.Fail("types nest more than {} deep", kMaxDepth);
  ANEMONE_ASSIGN(const std::string word, tokens_.ExpectIdentifier("a type"));
  Type type;
  if (const auto dtype = DTypeFromName(word)) {
    type = Type::Scalar(*dtype);
  } else if (word == "tensor") {
    ANEMONE_TRY(tokens_.Expect("<"));
    ANEMONE_ASSIGN(const std::string name, tokens_.ExpectIdentifier("an element type"));
    const auto element = DTypeFromName(name);
    if (!element) return tokens_.Fail("unknown element type '{}'", name);
    ANEMONE_TRY(tokens_.Expect(","));
    ANEMONE_ASSIGN(const bool unranked, tokens_.Accept("*"));
    if (unranked) {
      type = Type::UnrankedTensor(*element);
    } else {
      ANEMONE_ASSIGN(Shape shape, ParseShape());
      type = Type::Tensor(*element, std::move(shape));
    }
    ANEMONE_TRY(tokens_.Expect(">"));
  } else if (word == "list" || word == "tuple" || word == "dict" || word == "state") {
    ANEMONE_TRY(tokens_.Expect("<"));
    std::vector<Type> elements;
    int64_t length = kDynamic;
    while (!tokens_.Is(">")) {
      if (!elements.empty()) ANEMONE_TRY(tokens_.Expect(","));
      if (word == "list" && elements.size() == 1) {
        if (tokens_.current().kind == Token::Kind::kNumber) {
          ANEMONE_ASSIGN(length, Integer(tokens_.current()));
        }
        ANEMONE_TRY(tokens_.Advance());
        break;
      }
      ANEMONE_ASSIGN(Type element, ParseType());
      elements.push_back(std::move(element));
    }
    ANEMONE_TRY(tokens_.Expect(">"));
    const size_t wanted = word == "dict" ? 2 : word == "tuple" ? elements.size() : 1;
    if (elements.size() != wanted) return tokens_.Fail("{}<> takes {} types", word, wanted);
    if (word == "list") type = Type::List(elements[0], length);
    if (word == "state") type = Type::State(elements[0]);
    if (word == "dict") type = Type::Dictionary(elements[0], elements[1]);
    if (word == "tuple") type = Type::Tuple(std::move(elements));
  } else {
    return tokens_.Fail("'{}' is not a type", word);
  }
  --depth_;
  return type;
}

Result<double> LiteralParser::Number(const Token& token) {
  std::string text(token.text);
  if (text == "inf" || text == "+inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (token.kind != Token::Kind::kNumber || end != text.c_str() + text.size()) {
    return tokens_.Fail("'{}' is not a number", text);
  }
  return value;
}

Result<int64_t> LiteralParser::Integer(const Token& token) {
  const std::string text(token.text);
  if (text == "true") return 1;
  if (text == "false") return 0;
  char* end = nullptr;
  errno = 0;
  const bool negative = !text.empty() && text[0] == '-';
  const int64_t value = negative ? std::strtoll(text.c_str(), &end, 0)
                                 : static_cast<int64_t>(std::strtoull(text.c_str(), &end, 0));
  if (errno != 0 || end != text.c_str() + text.size() || token.kind != Token::Kind::kNumber) {
    return tokens_.Fail("'{}' is not an integer, or is too large", text);
  }
  return value;
}

Status LiteralParser::CollectElements(std::vector<Token>* elements, Shape* shape, size_t depth) {
  if (depth > kMaxDepth) return tokens_.Fail("lists nest more than {} deep", kMaxDepth);
  ANEMONE_TRY(tokens_.Expect("["));
  int64_t count = 0;
  while (!tokens_.Is("]")) {
    if (count > 0) ANEMONE_TRY(tokens_.Expect(","));
    if (tokens_.Is("[")) {
      ANEMONE_TRY(CollectElements(elements, shape, depth + 1));
    } else {
      if (tokens_.current().kind == Token::Kind::kPunctuation ||
          tokens_.current().kind == Token::Kind::kEnd) {
        return tokens_.Fail("expected a number or a string");
      }
      elements->push_back(tokens_.current());
      ANEMONE_TRY(tokens_.Advance());
    }
    ++count;
  }
  if (shape->size() <= depth) shape->resize(depth + 1, count);
  (*shape)[depth] = count;
  return tokens_.Expect("]");
}

Result<Literal> LiteralParser::FromTokens(const Type& type, const std::vector<Token>& tokens) {
  const DType dtype = type.dtype();
  if (static_cast<int64_t>(tokens.size()) != type.element_count()) {
    return tokens_.Fail("{} values are given for {}", tokens.size(), type.ToString());
  }
  if (dtype == DType::kString) {
    std::vector<std::string> strings;
    for (const Token& token : tokens) {
      if (token.kind != Token::Kind::kString)
        return tokens_.Fail("expected a string, found {}", token.text);
      strings.push_back(token.unescaped);
    }
    if (type.is_scalar()) return Literal::String(strings[0]);
    return Literal::Strings(std::move(strings));
  }
  if (IsFloat(dtype)) {
    std::vector<std::byte> bytes;
    for (const Token& token : tokens) {
      ANEMONE_ASSIGN(const double value, Number(token));
      AppendElement(dtype, value, &bytes);
    }
    return Literal::FromBytes(type, Bytes::FromVector(std::move(bytes)));
  }
  std::vector<int64_t> values;
  const int width = BitWidth(dtype);
  for (const Token& token : tokens) {
    ANEMONE_ASSIGN(const int64_t value, Integer(token));
    if (width < 64) {
      const bool is_signed = IsSignedInt(dtype);
      const int bits = dtype == DType::kBool ? 1 : is_signed ? width - 1 : width;
      const int64_t low = is_signed ? -(int64_t{1} << bits) : 0;
      const int64_t high = (int64_t{1} << bits) - 1;
      if (value < low || value > high) {
        return tokens_.Fail("{} does not fit into {}", token.text, DTypeName(dtype));
      }
    }
    values.push_back(value);
  }
  return Literal::FromBytes(type, PackInts(values, dtype));
}

Result<Literal> LiteralParser::ParseTensorContents(const Type& type) {
  if (tokens_.Is("BLOBFILE")) {
    return tokens_.Fail(
        "a .mil text stands alone: it names no weight files, as a compiled model does");
  }
  if (!type.is_static())
    return tokens_.Fail("a constant needs a static type, not {}", type.ToString());
  if (tokens_.Is("splat") || tokens_.Is("seed")) {
    const bool splat = tokens_.Is("splat");
    ANEMONE_TRY(tokens_.Advance());
    const Token token = tokens_.current();
    ANEMONE_TRY(tokens_.Advance());
    const auto size = ByteSize(type.dtype(), type.element_count().value_or(-1));
    if (!size || *size > kMaxSplatBytes) return tokens_.Fail("the constant is too large");
    const int64_t count = *type.element_count();
    if (splat) return FromTokens(type, std::vector<Token>(static_cast<size_t>(count), token));
    ANEMONE_ASSIGN(const int64_t seed, Integer(token));
    if (!IsFloat(type.dtype())) return tokens_.Fail("seed needs a float type");
    std::vector<std::byte> bytes;
    bytes.reserve(*size);
    for (int64_t i = 0; i < count; ++i) AppendElement(type.dtype(), SeededValue(seed, i), &bytes);
    return Literal::FromBytes(type, Bytes::FromVector(std::move(bytes)));
  }
  std::vector<Token> elements;
  if (tokens_.Is("[")) {
    Shape shape;
    ANEMONE_TRY(CollectElements(&elements, &shape, 0));
  } else {
    elements.push_back(tokens_.current());
    ANEMONE_TRY(tokens_.Advance());
  }
  return FromTokens(type, elements);
}

Result<Literal> LiteralParser::ParseContents(const Type& type) {
  if (type.is_tensor()) return ParseTensorContents(type);
  // Elements may be typed, or plain contents of the element type.
  const auto element = [&](const Type& element_type) -> Result<Literal> {
    ANEMONE_ASSIGN(const bool typed, AtType());
    if (typed) return ParseTyped();
    return ParseContents(element_type);
  };
  std::vector<Literal> elements;
  if (type.kind() == Type::Kind::kDictionary) {
    ANEMONE_TRY(tokens_.Expect("{"));
    while (!tokens_.Is("}")) {
      if (!elements.empty()) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_TRY(tokens_.Expect("{"));
      ANEMONE_ASSIGN(Literal key, element(type.elements()[0]));
      ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(Literal value, element(type.elements()[1]));
      ANEMONE_TRY(tokens_.Expect("}"));
      elements.push_back(std::move(key));
      elements.push_back(std::move(value));
    }
    ANEMONE_TRY(tokens_.Expect("}"));
    return Literal::Compound(type, std::move(elements));
  }
  ANEMONE_TRY(tokens_.Expect("("));
  while (!tokens_.Is(")")) {
    if (!elements.empty()) ANEMONE_TRY(tokens_.Expect(","));
    const bool tuple = type.kind() == Type::Kind::kTuple;
    if (tuple && elements.size() >= type.elements().size())
      return tokens_.Fail("too many elements");
    ANEMONE_ASSIGN(Literal value, element(type.elements()[tuple ? elements.size() : 0]));
    elements.push_back(std::move(value));
  }
  ANEMONE_TRY(tokens_.Expect(")"));
  return Literal::Compound(type, std::move(elements));
}

Result<Literal> LiteralParser::ParseTyped() {
  ANEMONE_ASSIGN(const Type type, ParseType());
  ANEMONE_TRY(tokens_.Expect("("));
  if (++depth_ > kMaxDepth) return tokens_.Fail("constants nest more than {} deep", kMaxDepth);
  ANEMONE_ASSIGN(Literal literal, ParseContents(type));
  --depth_;
  ANEMONE_TRY(tokens_.Expect(")"));
  return literal;
}

Result<Literal> LiteralParser::ParseUntyped(DType float_dtype, bool* untyped_float) {
  std::vector<Token> elements;
  Shape shape;
  if (tokens_.Is("[")) {
    ANEMONE_TRY(CollectElements(&elements, &shape, 0));
  } else {
    elements.push_back(tokens_.current());
    ANEMONE_TRY(tokens_.Advance());
  }
  DType dtype = DType::kInt32;
  for (const Token& token : elements) {
    if (token.kind == Token::Kind::kString) {
      dtype = DType::kString;
    } else if (token.text == "true" || token.text == "false") {
      dtype = DType::kBool;
    } else {
      const bool hexadecimal =
          token.text.substr(0, 2) == "0x" && token.text.find('p') == std::string_view::npos;
      if (!hexadecimal && token.text.find_first_of(".enp") != std::string_view::npos)
        dtype = float_dtype;
    }
  }
  if (untyped_float != nullptr) *untyped_float = IsFloat(dtype);
  return FromTokens(Type::Tensor(dtype, shape), elements);
}

Result<Literal> LiteralParser::Parse(DType float_dtype, bool* untyped_float) {
  if (untyped_float != nullptr) *untyped_float = false;
  ANEMONE_ASSIGN(const bool typed, AtType());
  if (typed) return ParseTyped();
  return ParseUntyped(float_dtype, untyped_float);
}

Result<Literal> ParseLiteral(std::string_view text, DType float_dtype) {
  TokenStream tokens(text);
  ANEMONE_TRY(tokens.Start());
  LiteralParser parser(tokens);
  ANEMONE_ASSIGN(Literal literal, parser.Parse(float_dtype));
  if (tokens.current().kind != Token::Kind::kEnd)
    return tokens.Fail("unexpected '{}'", tokens.current().text);
  return literal;
}

}  // namespace anemone::ir
