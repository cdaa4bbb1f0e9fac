// Parses types and literals of the text form from a token stream. Used by the program parser and by
// ParseLiteral.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ir/literal.h"
#include "ir/text.h"
#include "ir/text_lexer.h"
#include "ir/type.h"

namespace anemone::ir {

// A token stream with one token of look-ahead; errors carry line and column.
class TokenStream {
 public:
  explicit TokenStream(std::string_view text) : lexer_(text) {}
  Status Start() { return Advance(); }
  const Token& current() const { return current_; }
  Status Advance();
  // Looks at the token after the current one.
  Result<Token> Peek();

  bool Is(std::string_view punctuation_or_word) const;
  // Consumes `text` if it is next; tells whether.
  Result<bool> Accept(std::string_view text);
  Status Expect(std::string_view text);
  Result<std::string> ExpectIdentifier(std::string_view what);
  // An error at the current token.
  template <typename... Args>
  Error Fail(fmt::format_string<Args...> format, Args&&... args) const {
    return InvalidInput("{}", fmt::vformat(format, fmt::make_format_args(args...)))
        .At(lexer_.Place(current_.offset));
  }

 private:
  Lexer lexer_;
  Token current_;
};

class LiteralParser {
 public:
  explicit LiteralParser(TokenStream& tokens) : tokens_(tokens) {}

  // Whether the current token begins a type ("tensor<", or a dtype name).
  Result<bool> AtType();
  Result<Type> ParseType();
  // `untyped_float` (may be null) is set when the literal is written without a type and holds
  // floats.
  Result<Literal> Parse(DType float_dtype, bool* untyped_float = nullptr);

 private:
  Result<Shape> ParseShape();
  Result<Literal> ParseTyped();
  Result<Literal> ParseContents(const Type& type);
  Result<Literal> ParseTensorContents(const Type& type);
  Result<Literal> ParseUntyped(DType float_dtype, bool* untyped_float);
  // Scalars of a possibly nested [ ... ], row-major; `shape` gets the nesting.
  Status CollectElements(std::vector<Token>* elements, Shape* shape, size_t depth);
  Result<Literal> FromTokens(const Type& type, const std::vector<Token>& tokens);
  Result<double> Number(const Token& token);
  Result<int64_t> Integer(const Token& token);

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace anemone::ir
