// JSON as a stream: what stands in a text is told piece by piece, so that a reader may refuse a
// hostile text at the first byte that breaks its shape, before it grows a value in memory. For all
// else there is base/json.h.
//
// Thread rules: pure function; the receiver is called on the caller's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace anemone {

// Each call returns whether to go on.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual bool Null() = 0;
  virtual bool Boolean(bool value) = 0;
  virtual bool Negative(int64_t value) = 0;
  virtual bool Unsigned(uint64_t value) = 0;
  // A number with fraction or exponent, or beyond 64 bits; `text` as it stands there.
  virtual bool Real(double value, std::string_view text) = 0;
  virtual bool Text(std::string value) = 0;
  virtual bool BeginObject() = 0;
  virtual bool Key(std::string key) = 0;
  virtual bool EndObject() = 0;
  virtual bool BeginArray() = 0;
  virtual bool EndArray() = 0;
  // The text is not JSON at this byte (counted from 1); `problem` says so with line and column.
  virtual void NotJson(size_t position, std::string_view problem) = 0;
};

// False when the text is not JSON, or a call said not to go on.
bool ReadJsonEvents(std::string_view text, JsonEvents& events);

}  // namespace anemone
