// WireReader: walks the fields of one protobuf message in memory, without a schema and without
// copying. ONNX files are read with it, rather than with generated protobuf classes, so that a
// weight stays a view into the mapped file and a hostile length can never cause an allocation: each
// field is checked against the bytes that are there. Ownership: views the caller's bytes. Thread
// rules: one reader, one thread. Errors: kInvalidInput with the byte offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::onnx {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

class WireReader {
 public:
  // `base_offset` is where `bytes` starts in the file: errors name offsets in the file.
  explicit WireReader(std::span<const std::byte> bytes, size_t base_offset = 0)
      : bytes_(bytes), base_(base_offset) {}

  // Moves to the next field; false at the end of the message. Unknown fields may simply be skipped.
  Result<bool> Next();

  uint32_t number() const { return number_; }
  WireType type() const { return type_; }
  // Offset in the file of the field's payload.
  size_t payload_offset() const { return base_ + payload_offset_; }

  // The payload of the current field, checked to be of the right wire type.
  Result<uint64_t> Varint() const;
  Result<int64_t> Int64() const;
  Result<int32_t> Int32() const;
  Result<float> Float() const;
  Result<std::span<const std::byte>> Payload() const;
  Result<std::string> String() const;
  // A reader over the sub-message in the current field.
  Result<WireReader> Message() const;

  // Appends the element(s) of a repeated scalar field, packed or not.
  Status AppendVarints(std::vector<int64_t>& out) const;
  Status AppendFloats(std::vector<float>& out) const;
  Status AppendDoubles(std::vector<double>& out) const;

 private:
  Error Invalid(std::string_view rule) const;
  Result<uint64_t> ReadVarint(size_t& position) const;
  template <typename T>
  Status AppendFixed(WireType single, std::vector<T>& out) const;

  std::span<const std::byte> bytes_;
  size_t base_ = 0;
  size_t position_ = 0;  // of the next field
  uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t scalar_ = 0;
  size_t payload_offset_ = 0;
  std::span<const std::byte> payload_;
};

}  // namespace anemone::onnx
