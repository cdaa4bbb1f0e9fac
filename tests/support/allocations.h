// Counts the calls of operator new of all threads: a test binary that uses this gets a replaced
// operator new.
#pragma once

#include <cstdint>

namespace anemone::test {

int64_t AllocationsSoFar();

}  // namespace anemone::test
