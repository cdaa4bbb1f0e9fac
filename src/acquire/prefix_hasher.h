// The SHA-256 of a file while it is being written: its own thread follows the written prefix,
// reading from the page cache, so that hashing costs the download no time and 1 MiB of memory.
// Ownership: borrows the descriptor. Thread rules: Advance, Restart and Finish from one thread.
// Errors: kIo, from Finish.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/sha256.h"
#include "base/status.h"

namespace anemone::acquire {

class PrefixHasher {
 public:
  explicit PrefixHasher(int fd);
  ~PrefixHasher();
  PrefixHasher(const PrefixHasher&) = delete;
  PrefixHasher& operator=(const PrefixHasher&) = delete;

  // [0, bytes) is in the file and will not change; never goes back.
  void Advance(int64_t bytes);
  // Forgets the contents: the file starts over.
  void Restart();
  // The digest of [0, bytes), once it has been read.
  Result<Sha256Digest> Finish(int64_t bytes);

 private:
  void Run();

  int fd_;
  std::mutex mutex_;
  std::condition_variable work_;  // to the thread
  std::condition_variable news_;  // from it
  int64_t available_ = 0;
  int64_t announced_ = 0;
  int64_t hashed_ = 0;
  bool busy_ = false;  // the thread reads or hashes; the mutex is not held for that
  bool stop_ = false;
  int error_ = 0;  // errno of a failed read
  Sha256 hash_;
  std::thread thread_;
};

}  // namespace anemone::acquire
