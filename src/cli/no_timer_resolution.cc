// The shared library of Highway 1.0 measures the resolution of the processor's timer whenever a
// program that links it starts (a static initializer of its benchmark helper), which takes 3 ms and
// is not needed here. The loader finds the function defined in this program first. Where Highway is
// linked otherwise, or no longer does this, it is never called.
#ifdef __linux__

#include <cstdint>

namespace hwy::platform {

// Seen by the loader, though the rest of the program is not.
__attribute__((visibility("default"), used)) uint64_t TimerResolution();
uint64_t TimerResolution() { return 1; }

}  // namespace hwy::platform

#endif  // __linux__
