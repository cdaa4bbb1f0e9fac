#include "lab/fingerprint.h"

#include "base/sha256.h"
#include "ir/text.h"

namespace anemone::lab {

std::string FingerprintOf(const ir::Program& program) {
  Sha256 sha;
  // Values of large constants are hashed as bytes, because the text only summarizes them.
  constexpr int64_t kSpelledOut = 16;
  sha.Update(ir::PrintText(program, {.value_elements = kSpelledOut}));
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (!operation.is_const()) return;
      const ir::Literal& literal = *operation.output()->literal;
      if (literal.type().is_tensor() && literal.element_count() > kSpelledOut)
        sha.Update(std::span(literal.bytes().data(), literal.bytes().size()));
    });
  }
  return ToHex(sha.Finish());
}

}  // namespace anemone::lab
