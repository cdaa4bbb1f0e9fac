// JSON Lines files that survive being killed: one write(2) with O_APPEND for each line, so that a
// file holds whole lines and at most one torn last one, which the next Open cuts off. Rotation by
// size: log, log.1, log.2 ...; the largest number is the oldest.
//
//   ANEMONE_ASSIGN(auto sink, JsonLinesSink::Open("telemetry.jsonl", {}));
//   telemetry.AddSink(std::move(sink));
//
// One process at a time writes a log; it holds a lock on a hidden file beside it (.NAME.lock),
// which the system releases when the process dies in any way. Forked children do not write.
//
// Ownership: the object owns its file. Thread rules: any thread at once. Errors: kIo with the
// system's reason; kUnavailable while another process writes the log; kInvalidInput for an existing
// file that is not a JSON Lines file, which is left alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"
#include "runtime/telemetry_event.h"

namespace anemone::runtime {

struct JsonLinesOptions {
  uint64_t max_bytes = uint64_t{64} << 20;  // a file that reaches it is rotated; 0: never
  int max_files = 5;                        // rotated files to keep; 0: none
  bool sync = false;                        // fsync each line, against a crash of the machine
};

class JsonLinesFile {
 public:
  static Result<std::unique_ptr<JsonLinesFile>> Open(const std::string& path,
                                                     const JsonLinesOptions& options);
  JsonLinesFile(const JsonLinesFile&) = delete;
  JsonLinesFile& operator=(const JsonLinesFile&) = delete;
  ~JsonLinesFile();

  // Writes one line, given without its end. A line that cannot be written whole is removed.
  Status Append(std::string_view line);
  // Bytes of a torn last line that Open cut off.
  uint64_t repaired_bytes() const { return repaired_bytes_; }
  const std::string& path() const { return path_; }

 private:
  JsonLinesFile(std::string path, const JsonLinesOptions& options)
      : path_(std::move(path)), options_(options) {}
  Status Lock();
  Status OpenFile();
  Status Repair();
  Status Rotate();

  const std::string path_;
  const JsonLinesOptions options_;
  std::mutex mutex_;
  int lock_fd_ = -1;
  int fd_ = -1;
  bool regular_ = false;  // otherwise a pipe or a device: no repair, no rotation
  uint64_t size_bytes_ = 0;
  uint64_t repaired_bytes_ = 0;
};

// Writes each event as one line (docs/schemas/event.schema.json).
class JsonLinesSink : public EventSink {
 public:
  // Reports a repair in a note, the first line of this process.
  static Result<std::unique_ptr<JsonLinesSink>> Open(const std::string& path,
                                                     const JsonLinesOptions& options);
  void Emit(const Event& event) override;
  uint64_t dropped() const override { return dropped_.load(std::memory_order_relaxed); }

 private:
  explicit JsonLinesSink(std::unique_ptr<JsonLinesFile> file) : file_(std::move(file)) {}
  std::unique_ptr<JsonLinesFile> file_;
  std::atomic<uint64_t> dropped_{0};
};

// The line of an event, without its end.
std::string EventLine(const Event& event);

}  // namespace anemone::runtime
