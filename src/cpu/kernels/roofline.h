// What this machine can do at most: multiply-adds in registers and bytes from memory, measured. A kernel's speed
// is judged by its share of them. Thread rules: pure functions that keep all threads of the pool busy.
#pragma once

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

struct Roofline {
  double gflops = 0.0;       // a multiply-add counts as two
  double gigabytes_s = 0.0;  // read from memory, far more than caches hold
};

// The best of several short measurements; takes a fraction of a second, and 256 MiB of memory meanwhile.
Roofline MeasureRoofline(ThreadPool& pool);

}  // namespace anemone::cpu
