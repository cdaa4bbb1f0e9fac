// Fingerprint: the SHA-256 of a program: its text and the bytes of every constant, wherever it is
// stored. Names count, metadata does not. Thread rules: pure functions.
#pragma once

#include <string>

#include "ir/program.h"

namespace anemone::lab {

std::string FingerprintOf(const ir::Program& program);

}  // namespace anemone::lab
