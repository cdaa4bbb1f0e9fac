// PrintableOutput: what a stream is given reaches the terminal as text. Names come from model files, which may be
// hostile: an escape sequence in one would move the cursor, change colors or the window's title. Control
// characters other than line ends and tabs are written as "\x1b" instead.
//
//   const PrintableOutput printable(std::cout);
//
// Ownership: the stream must outlive this, which gives it its own buffer back. Thread rules: as of the stream.
#pragma once

#include <ostream>
#include <streambuf>

namespace anemone::cli {

class PrintableOutput : private std::streambuf {
 public:
  explicit PrintableOutput(std::ostream& stream);
  ~PrintableOutput() override;
  PrintableOutput(const PrintableOutput&) = delete;
  PrintableOutput& operator=(const PrintableOutput&) = delete;

 private:
  int_type overflow(int_type next) override;
  std::streamsize xsputn(const char* text, std::streamsize count) override;
  int sync() override;
  bool Put(unsigned char next);
  bool PutEscaped(unsigned char byte);

  std::ostream& stream_;
  std::streambuf* inner_;
  bool after_c2_ = false;  // the first byte of U+0080 to U+00BF, of which the first 32 are controls
};

}  // namespace anemone::cli
