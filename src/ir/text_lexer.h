// Splits MIL text into tokens. Used by the parser only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::ir {

struct Token {
  enum class Kind : uint8_t { kEnd, kIdentifier, kNumber, kString, kPunctuation };
  Kind kind = Kind::kEnd;
  std::string_view text;  // of the source, without quotes for a string; "->" is one punctuation
  std::string unescaped;  // strings only
  size_t offset = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // The next token. Errors: an unterminated string, an unknown character or escape.
  Result<Token> Next();
  // "line 3, column 7" of an offset.
  std::string Place(size_t offset) const;
  size_t position() const { return position_; }

 private:
  void SkipBlanks();
  Result<Token> String(size_t begin);

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace anemone::ir
