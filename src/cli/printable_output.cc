#include "cli/printable_output.h"

#include <string>

#include <fmt/format.h>

namespace anemone::cli {
namespace {

bool IsControl(unsigned char byte) {
  return (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') || byte == 0x7F;
}

}  // namespace

PrintableOutput::PrintableOutput(std::ostream& stream)
    : stream_(stream), inner_(stream.rdbuf(this)) {}

PrintableOutput::~PrintableOutput() {
  sync();
  stream_.rdbuf(inner_);
}

bool PrintableOutput::PutEscaped(unsigned char byte) {
  const std::string text = fmt::format("\\x{:02x}", byte);
  const auto size = static_cast<std::streamsize>(text.size());
  return inner_->sputn(text.data(), size) == size;
}

bool PrintableOutput::Put(unsigned char next) {
  if (after_c2_) {
    after_c2_ = false;
    if (next >= 0x80 && next < 0xA0) return PutEscaped(next);
    if (traits_type::eq_int_type(inner_->sputc('\xC2'), traits_type::eof())) return false;
  }
  if (next == 0xC2) {
    after_c2_ = true;
    return true;
  }
  if (IsControl(next)) return PutEscaped(next);
  return !traits_type::eq_int_type(inner_->sputc(static_cast<char>(next)), traits_type::eof());
}

PrintableOutput::int_type PrintableOutput::overflow(int_type next) {
  if (traits_type::eq_int_type(next, traits_type::eof())) return traits_type::not_eof(next);
  return Put(static_cast<unsigned char>(traits_type::to_char_type(next))) ? next
                                                                          : traits_type::eof();
}

std::streamsize PrintableOutput::xsputn(const char* text, std::streamsize count) {
  for (std::streamsize i = 0; i < count;) {
    // Runs of plain text pass as they are.
    std::streamsize end = i;
    while (end < count && !after_c2_ && static_cast<unsigned char>(text[end]) != 0xC2 &&
           !IsControl(static_cast<unsigned char>(text[end])))
      ++end;
    if (end > i) {
      if (inner_->sputn(text + i, end - i) != end - i) return i;
      i = end;
    } else if (!Put(static_cast<unsigned char>(text[i++]))) {
      return i - 1;
    }
  }
  return count;
}

int PrintableOutput::sync() {
  if (after_c2_) {
    after_c2_ = false;
    if (traits_type::eq_int_type(inner_->sputc('\xC2'), traits_type::eof())) return -1;
  }
  return inner_->pubsync();
}

}  // namespace anemone::cli
