#include "acquire/write_behind.h"

#include <algorithm>
#include <utility>

namespace anemone::acquire {

WriteBehind::WriteBehind(WriteAt write, Reached reached)
    : write_(std::move(write)), reached_(std::move(reached)), thread_([this] { Run(); }) {}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
}

Status WriteBehind::Write(int64_t offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto end = filling_.offset + static_cast<int64_t>(filling_.data.size());
    const bool follows = !filling_.data.empty() && end == offset;
    if (!filling_.data.empty() && (!follows || filling_.data.size() == kBlockBytes)) {
      std::unique_lock<std::mutex> lock(mutex_);
      Push(lock);
      if (!error_.ok()) return error_;
    }
    if (filling_.data.empty()) filling_.offset = offset;
    const size_t room = kBlockBytes - filling_.data.size();
    const auto piece = data.first(std::min(room, data.size()));
    filling_.data.insert(filling_.data.end(), piece.begin(), piece.end());
    data = data.subspan(piece.size());
    offset += static_cast<int64_t>(piece.size());
  }
  return {};
}

void WriteBehind::Mark(int64_t mark) { filling_.mark = mark; }

Status WriteBehind::Flush() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!filling_.data.empty() || filling_.mark >= 0) Push(lock);
  news_.wait(lock, [this] { return in_flight_ == 0; });
  return error_;
}

// Hands over the gathered block and takes memory for the next.
void WriteBehind::Push(std::unique_lock<std::mutex>& lock) {
  news_.wait(lock, [this] { return in_flight_ + 1 < kBlocks; });
  waiting_.push_back(std::exchange(filling_, Block{}));
  ++in_flight_;
  if (!spare_.empty()) {
    filling_.data = std::move(spare_.back());
    spare_.pop_back();
  }
  work_.notify_one();
}

void WriteBehind::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    Block block = std::move(waiting_.front());
    waiting_.pop_front();
    if (error_.ok()) {
      lock.unlock();
      Status status = block.data.empty() ? Status() : write_(block.offset, block.data);
      if (status.ok() && block.mark >= 0) reached_(block.mark);
      lock.lock();
      if (!status.ok()) error_ = std::move(status);
    }
    block.data.clear();
    spare_.push_back(std::move(block.data));
    --in_flight_;
    news_.notify_all();
  }
}

}  // namespace anemone::acquire
