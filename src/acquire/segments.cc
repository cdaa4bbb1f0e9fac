#include "acquire/segments.h"

#include <algorithm>
#include <charconv>
#include <memory>

namespace anemone::acquire {

Segments::Segments(std::optional<int64_t> total) { Restart(total); }

void Segments::Restart(std::optional<int64_t> total) {
  segments_.assign(1, Segment{0, 0, total.value_or(-1), false});
}

std::optional<int64_t> Segments::total() const {
  const int64_t end = segments_.back().end;
  return end >= 0 ? std::optional(end) : std::nullopt;
}

bool Segments::SetTotal(int64_t total) {
  if (total < 0) return false;
  Segment& last = segments_.back();
  if (last.end >= 0) return last.end == total;
  if (last.position > total) return false;
  last.end = total;
  return true;
}

bool Segments::complete() const {
  return std::all_of(segments_.begin(), segments_.end(),
                     [](const Segment& segment) { return segment.complete(); });
}

int64_t Segments::done_bytes() const {
  int64_t done = 0;
  for (const Segment& segment : segments_) done += segment.position - segment.begin;
  return done;
}

int64_t Segments::contiguous_bytes() const {
  for (const Segment& segment : segments_) {
    if (!segment.complete()) return segment.position;
  }
  return segments_.back().position;
}

std::optional<size_t> Segments::NextIdle() const {
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (!segments_[i].active && !segments_[i].complete()) return i;
  }
  return std::nullopt;
}

std::optional<size_t> Segments::Split(int64_t smallest) {
  std::optional<size_t> most;
  int64_t left = 0;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    if (!segment.active || segment.end < 0) continue;
    if (segment.end - segment.position > left) {
      left = segment.end - segment.position;
      most = i;
    }
  }
  if (!most || left < 2 * smallest) return std::nullopt;
  Segment& first = segments_[*most];
  const int64_t middle = first.position + left / 2;
  const Segment second{middle, middle, first.end, false};
  first.end = middle;
  segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(*most) + 1, second);
  return *most + 1;
}

std::string Segments::Print() const {
  std::string text;
  for (const Segment& segment : segments_) {
    if (segment.position == segment.begin) continue;
    text += fmt::format("{}{}-{}", text.empty() ? "" : " ", segment.begin, segment.position);
  }
  return text;
}

Result<Segments> Segments::Parse(std::string_view text, std::optional<int64_t> total) {
  Segments result(total);
  result.segments_.clear();
  int64_t at = 0;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view part = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    int64_t begin = 0;
    int64_t end = 0;
    const char* start = std::to_address(part.begin());
    const char* stop = std::to_address(part.end());
    const auto first = std::from_chars(start, stop, begin);
    if (first.ec != std::errc() || first.ptr == stop || *first.ptr != '-') {
      return InvalidInput("'{}' is not a range", part);
    }
    const auto second = std::from_chars(first.ptr + 1, stop, end);
    if (second.ec != std::errc() || second.ptr != stop || begin < at || end <= begin ||
        (total && end > *total)) {
      return InvalidInput("'{}' is not a range after {}", part, at);
    }
    if (begin > at) {
      // The bytes before it are missing: an empty segment, or the tail of the previous one.
      if (result.segments_.empty()) {
        result.segments_.push_back({0, 0, begin, false});
      } else {
        result.segments_.back().end = begin;
      }
    }
    if (begin == at && !result.segments_.empty()) {
      result.segments_.back().position = end;
      result.segments_.back().end = end;
    } else {
      result.segments_.push_back({begin, end, end, false});
    }
    at = end;
  }
  if (result.segments_.empty()) return Segments(total);
  result.segments_.back().end = total.value_or(-1);
  return result;
}

}  // namespace anemone::acquire
