#include "acquire/prefix_hasher.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace anemone::acquire {
namespace {

constexpr int64_t kBlock = int64_t{1} << 20;

}  // namespace

PrefixHasher::PrefixHasher(int fd) : fd_(fd), thread_([this] { Run(); }) {}

PrefixHasher::~PrefixHasher() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void PrefixHasher::Advance(int64_t bytes) {
  // Waking the thread for every few kilobytes would cost more than the hash.
  const std::lock_guard<std::mutex> lock(mutex_);
  available_ = std::max(available_, bytes);
  if (available_ - announced_ < kBlock) return;
  announced_ = available_;
  work_.notify_one();
}

void PrefixHasher::Restart() {
  std::unique_lock<std::mutex> lock(mutex_);
  available_ = announced_ = hashed_;  // nothing more to do
  news_.wait(lock, [this] { return !busy_; });
  available_ = announced_ = hashed_ = 0;
  error_ = 0;
  hash_.Finish();
}

Result<Sha256Digest> PrefixHasher::Finish(int64_t bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  available_ = announced_ = std::max(available_, bytes);
  work_.notify_one();
  news_.wait(lock, [&] { return error_ != 0 || hashed_ >= bytes; });
  if (error_ != 0) return IoError("cannot read back what was written: {}", std::strerror(error_));
  return hash_.Finish();
}

void PrefixHasher::Run() {
  std::vector<std::byte> block(static_cast<size_t>(kBlock));
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stop_ || (error_ == 0 && hashed_ < announced_); });
    if (stop_) return;
    const int64_t at = hashed_;
    const auto size = static_cast<size_t>(std::min(kBlock, available_ - at));
    busy_ = true;
    lock.unlock();
    ssize_t got = 0;
    do {
      got = ::pread(fd_, block.data(), size, at);
    } while (got < 0 && errno == EINTR);
    const int error = got < 0 ? errno : (got == 0 ? EIO : 0);
    if (error == 0) hash_.Update(std::span(block.data(), static_cast<size_t>(got)));
    lock.lock();
    busy_ = false;
    error_ = error;
    hashed_ += error == 0 ? got : 0;
    news_.notify_all();
  }
}

}  // namespace anemone::acquire
