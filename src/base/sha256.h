// SHA-256 (FIPS 180-4) of bytes that arrive in pieces.
// Thread rules: one thread per Sha256; the free functions are pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace anemone {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::span<const std::byte> data);
  void Update(std::string_view text) { Update(std::as_bytes(std::span(text.data(), text.size()))); }
  // The digest of all updates; afterwards this object is as new.
  Sha256Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Digest Sha256Of(std::span<const std::byte> data);
// Sixty-four lower-case hexadecimal digits.
std::string ToHex(const Sha256Digest& digest);

}  // namespace anemone
