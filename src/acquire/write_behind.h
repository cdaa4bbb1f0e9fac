// Writes on its own thread, so that receiving does not wait for the file: the kernel copies each
// byte twice, out of the socket and into the page cache, and the two copies overlap. Small pieces
// are gathered into large writes. Memory: at most kBlocks blocks of kBlockBytes.
//
// Ownership: the functions given are called on the writer's thread and must outlive it. Thread
// rules: Write, Mark and Flush from one thread. Errors: those of `write`; the first one is
// returned by the next call, and nothing is written after it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/status.h"

namespace anemone::acquire {

class WriteBehind {
 public:
  static constexpr size_t kBlockBytes = size_t{1} << 20;
  static constexpr size_t kBlocks = 8;

  using WriteAt = std::function<Status(int64_t offset, std::span<const std::byte> data)>;
  using Reached = std::function<void(int64_t mark)>;

  WriteBehind(WriteAt write, Reached reached);
  // Data that has not been flushed may be lost.
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // Copies `data`; waits only when all blocks are on their way.
  Status Write(int64_t offset, std::span<const std::byte> data);
  // Calls `reached` with `mark` once everything passed so far has been written. Of several marks in
  // one block, the last counts.
  void Mark(int64_t mark);
  // Waits until everything passed so far has been written and its marks reached.
  Status Flush();

 private:
  struct Block {
    int64_t offset = 0;
    int64_t mark = -1;
    std::vector<std::byte> data;
  };

  void Push(std::unique_lock<std::mutex>& lock);
  void Run();

  const WriteAt write_;
  const Reached reached_;
  Block filling_;  // the caller's

  std::mutex mutex_;
  std::condition_variable work_;  // to the thread
  std::condition_variable news_;  // from it
  std::deque<Block> waiting_;
  std::vector<std::vector<std::byte>> spare_;  // memory of written blocks, for reuse
  size_t in_flight_ = 0;                       // waiting or being written
  bool stop_ = false;
  Status error_;
  std::thread thread_;
};

}  // namespace anemone::acquire
