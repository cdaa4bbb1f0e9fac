// The bytes of a download that are present: a file cut into segments that fill front to back, each
// by one connection at a time. Only keeps this record, so that resuming and splitting can be tested
// without a network. Thread rules: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::acquire {

struct Segment {
  int64_t begin = 0;
  int64_t position = 0;  // [begin, position) is on disk
  int64_t end = -1;      // -1: not known yet (the last segment only)
  bool active = false;   // a connection fills it

  bool complete() const { return end >= 0 && position >= end; }
};

class Segments {
 public:
  // One segment over the whole file; `total` when the size is known.
  explicit Segments(std::optional<int64_t> total = std::nullopt);

  std::optional<int64_t> total() const;
  // Sets the size. False when it contradicts the known size or the bytes on disk.
  bool SetTotal(int64_t total);

  size_t size() const { return segments_.size(); }
  Segment& at(size_t index) { return segments_[index]; }
  const Segment& at(size_t index) const { return segments_[index]; }

  bool complete() const;
  int64_t done_bytes() const;
  // [0, contiguous_bytes()) is on disk.
  int64_t contiguous_bytes() const;
  // The first segment that is neither complete nor active.
  std::optional<size_t> NextIdle() const;
  // Splits the active segment with the most left in two when each half has at least `smallest`
  // bytes; returns the index of the new, idle half. Indices of others may change.
  std::optional<size_t> Split(int64_t smallest);
  // Forgets all bytes: the download starts over.
  void Restart(std::optional<int64_t> total);

  // "0-100 200-300": the ranges on disk, and back. Parse needs the total and rejects ranges that
  // are not sorted, disjoint and inside it.
  std::string Print() const;
  static Result<Segments> Parse(std::string_view text, std::optional<int64_t> total);

 private:
  std::vector<Segment> segments_;  // sorted, gapless, from 0
};

}  // namespace anemone::acquire
