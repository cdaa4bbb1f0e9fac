#include "base/sha256.h"

#include <openssl/evp.h>

#include <cassert>

namespace anemone {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() { Reset(); }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void Reset() {
    // Fails only when memory runs out or OpenSSL was built without SHA-2.
    [[maybe_unused]] const int ok = EVP_DigestInit_ex(evp, EVP_sha256(), nullptr);
    assert(ok == 1);
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(std::span<const std::byte> data) {
  EVP_DigestUpdate(context_->evp, data.data(), data.size());
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest{};
  EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr);
  context_->Reset();
  return digest;
}

Sha256Digest Sha256Of(std::span<const std::byte> data) {
  Sha256 sha;
  sha.Update(data);
  return sha.Finish();
}

std::string ToHex(const Sha256Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace anemone
