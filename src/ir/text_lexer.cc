#include "ir/text_lexer.h"

#include <algorithm>

namespace anemone::ir {
namespace {

bool IsIdentifierStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Lexer::Place(size_t offset) const {
  const std::string_view before = text_.substr(0, std::min(offset, text_.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = start == std::string_view::npos ? before.size() + 1 : before.size() - start;
  return fmt::format("line {}, column {}", line, column);
}

void Lexer::SkipBlanks() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++position_;
    } else if (text_.substr(position_, 2) == "//") {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else {
      break;
    }
  }
}

Result<Token> Lexer::Next() {
  SkipBlanks();
  Token token;
  token.offset = position_;
  if (position_ >= text_.size()) return token;
  const size_t begin = position_;
  const char c = text_[position_];
  if (c == '"') return String(begin);
  if (IsIdentifierStart(c)) {
    while (position_ < text_.size() &&
           (IsIdentifierStart(text_[position_]) || IsDigit(text_[position_])))
      ++position_;
    token.kind = Token::Kind::kIdentifier;
  } else if (IsDigit(c) ||
             (c == '-' && position_ + 1 < text_.size() && text_[position_ + 1] != '>') ||
             c == '+') {
    // Decimal and hexadecimal numbers, hexadecimal floats, signed inf: the parser judges the
    // spelling.
    ++position_;
    while (position_ < text_.size()) {
      const char d = text_[position_];
      const char previous = text_[position_ - 1];
      const bool exponent_sign =
          (d == '-' || d == '+') && (previous == 'e' || previous == 'E' || previous == 'p');
      if (!IsIdentifierStart(d) && !IsDigit(d) && d != '.' && !exponent_sign) break;
      ++position_;
    }
    token.kind = Token::Kind::kNumber;
  } else {
    static constexpr std::string_view kPunctuation = "(){}[]<>,;=?*:";
    if (text_.substr(position_, 2) == "->") {
      position_ += 2;
    } else if (kPunctuation.find(c) != std::string_view::npos) {
      ++position_;
    } else {
      return InvalidInput("unexpected character '{}'", c).At(Place(begin));
    }
    token.kind = Token::Kind::kPunctuation;
  }
  token.text = text_.substr(begin, position_ - begin);
  return token;
}

Result<Token> Lexer::String(size_t begin) {
  Token token;
  token.kind = Token::Kind::kString;
  token.offset = begin;
  for (++position_; position_ < text_.size(); ++position_) {
    char c = text_[position_];
    if (c == '"') {
      ++position_;
      token.text = text_.substr(begin, position_ - begin);
      return token;
    }
    if (c == '\\') {
      if (++position_ >= text_.size()) break;
      c = text_[position_];
      if (c == 'n') {
        c = '\n';
      } else if (c == 't') {
        c = '\t';
      } else if (c == 'r') {
        c = '\r';
      } else if (c == 'x' && position_ + 2 < text_.size() && HexValue(text_[position_ + 1]) >= 0 &&
                 HexValue(text_[position_ + 2]) >= 0) {
        c = static_cast<char>(HexValue(text_[position_ + 1]) * 16 + HexValue(text_[position_ + 2]));
        position_ += 2;
      } else if (c != '"' && c != '\\') {
        return InvalidInput("unknown escape '\\{}' in a string", c).At(Place(position_));
      }
    }
    token.unescaped += c;
  }
  return InvalidInput("a string is not terminated").At(Place(begin));
}

}  // namespace anemone::ir
