#include "runtime/json_lines.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "runtime/json_lines_text.h"
#include "runtime/telemetry_clock.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

// No line of ours is longer, so a longer tail must not be cut.
constexpr uint64_t kMaxTornBytes = uint64_t{1} << 20;

Error SystemError(const std::string& path, std::string_view what) {
  return IoError("{}: {}", what, std::generic_category().message(errno)).At(path);
}

std::string LockPath(const std::string& path) {
  const fs::path p(path);
  return (p.parent_path() / ("." + p.filename().string() + ".lock")).string();
}

std::string QuotedOrNull(const std::string& text) {
  return text.empty() ? "null" : JsonString(text);
}

}  // namespace

Result<std::unique_ptr<JsonLinesFile>> JsonLinesFile::Open(const std::string& path,
                                                           const JsonLinesOptions& options) {
  std::unique_ptr<JsonLinesFile> file(new JsonLinesFile(path, options));
  struct stat info{};
  // A pipe or a device needs no lock, repair or rotation.
  const bool special = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  if (!special) ANEMONE_TRY(file->Lock());
  ANEMONE_TRY(file->OpenFile());
  if (file->regular_) ANEMONE_TRY(file->Repair());
  return file;
}

JsonLinesFile::~JsonLinesFile() {
  if (fd_ >= 0) ::close(fd_);
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status JsonLinesFile::Lock() {
  const std::string path = LockPath(path_);
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_fd_ < 0) return SystemError(path_, "cannot create the lock of the log");
  while (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return Unavailable("another process is writing this log")
          .Advise("give each process its own log")
          .At(path_);
    }
    return SystemError(path_, "cannot lock the log");
  }
  return {};
}

Status JsonLinesFile::OpenFile() {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  // A pipe's writing end cannot be opened to read.
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd_ < 0) return SystemError(path_, "cannot open the log");
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return SystemError(path_, "cannot stat the log");
  regular_ = S_ISREG(info.st_mode);
  size_bytes_ = regular_ ? static_cast<uint64_t>(info.st_size) : 0;
  return {};
}

Status JsonLinesFile::Repair() {
  if (size_bytes_ == 0) return {};
  char first = 0;
  if (::pread(fd_, &first, 1, 0) != 1) return SystemError(path_, "cannot read the log");
  if (first != '{') {
    return InvalidInput("the file exists and is not a JSON Lines file: it must begin with '{{'")
        .Advise("choose another name for the log")
        .At(path_);
  }
  // Scans backward to the last end of line.
  std::array<char, 4096> block;
  uint64_t end = size_bytes_;
  while (end > 0) {
    const uint64_t begin = end > block.size() ? end - block.size() : 0;
    const auto wanted = static_cast<size_t>(end - begin);
    if (::pread(fd_, block.data(), wanted, static_cast<off_t>(begin)) !=
        static_cast<ssize_t>(wanted)) {
      return SystemError(path_, "cannot read the log");
    }
    const size_t found = std::string_view(block.data(), wanted).rfind('\n');
    end = begin;
    if (found != std::string_view::npos) {
      end = begin + found + 1;
      break;
    }
    if (size_bytes_ - begin > kMaxTornBytes) break;
  }
  if (size_bytes_ - end > kMaxTornBytes) {
    return InvalidInput("the file exists and its last line has more than {} bytes: it is not a log",
                        kMaxTornBytes)
        .Advise("choose another name for the log")
        .At(path_);
  }
  if (end == size_bytes_) return {};
  if (::ftruncate(fd_, static_cast<off_t>(end)) != 0) {
    return SystemError(path_, "cannot cut the torn last line of the log");
  }
  repaired_bytes_ = size_bytes_ - end;
  size_bytes_ = end;
  return {};
}

// Renames from the oldest on, so that a process killed in between leaves a gap in the numbers but
// loses nothing; the next rotation closes the gap.
Status JsonLinesFile::Rotate() {
  const auto numbered = [this](int number) { return fmt::format("{}.{}", path_, number); };
  std::error_code absent;
  if (options_.max_files <= 0) {
    fs::remove(path_, absent);
  } else {
    for (int number = options_.max_files - 1; number >= 1; --number) {
      fs::rename(numbered(number), numbered(number + 1), absent);
    }
    if (::rename(path_.c_str(), numbered(1).c_str()) != 0) {
      return SystemError(path_, "cannot rotate the log");
    }
  }
  ::close(fd_);
  fd_ = -1;
  return OpenFile();
}

Status JsonLinesFile::Append(std::string_view line) {
  if (line.find('\n') != std::string_view::npos) {
    return Internal("a line of a log must not hold an end of line").At(path_);
  }
  std::string whole(line);
  whole += '\n';
  const std::lock_guard lock(mutex_);
  if (fd_ < 0) ANEMONE_TRY(OpenFile());  // a rotation had failed halfway
  if (regular_ && options_.max_bytes > 0 && size_bytes_ > 0 &&
      size_bytes_ + whole.size() > options_.max_bytes) {
    ANEMONE_TRY(Rotate());
  }
  ssize_t written;
  do {
    written = ::write(fd_, whole.data(), whole.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(whole.size())) {
    const Error error = written < 0 ? SystemError(path_, "cannot write to the log")
                                    : IoError("only part of a line fitted").At(path_);
    // No one else writes here, so the partial line is ours to remove.
    if (written > 0 && regular_ && ::ftruncate(fd_, static_cast<off_t>(size_bytes_)) != 0) {
      return SystemError(path_, "cannot remove a partial line");
    }
    return error;
  }
  size_bytes_ += whole.size();
  if (options_.sync && regular_ && ::fsync(fd_) != 0) {
    return SystemError(path_, "cannot flush the log to disk");
  }
  return {};
}

Result<std::unique_ptr<JsonLinesSink>> JsonLinesSink::Open(const std::string& path,
                                                           const JsonLinesOptions& options) {
  ANEMONE_ASSIGN(auto file, JsonLinesFile::Open(path, options));
  const uint64_t repaired = file->repaired_bytes();
  std::unique_ptr<JsonLinesSink> sink(new JsonLinesSink(std::move(file)));
  if (repaired > 0) {
    Event note;
    note.time_unix_ns = Clock::System().unix_ns();
    note.text = fmt::format("cut {} bytes of a torn last line off this log", repaired);
    sink->Emit(note);
  }
  return sink;
}

void JsonLinesSink::Emit(const Event& event) {
  if (!file_->Append(EventLine(event)).ok()) dropped_.fetch_add(1, std::memory_order_relaxed);
}

std::string EventLine(const Event& e) {
  std::string line =
      fmt::format(R"({{"schema":"anemone.event","schema_version":1,"event":"{}","time_unix_ns":{},)"
                  R"("thread":{},"model":{},"backend":{},"compute_units":{})",
                  EventTypeName(e.type), e.time_unix_ns, e.thread, QuotedOrNull(e.model),
                  QuotedOrNull(e.backend), QuotedOrNull(e.units));
  switch (e.type) {
    case EventType::kCompile:
    case EventType::kLoad:
    case EventType::kFirstInference:
    case EventType::kInference:
      line += fmt::format(R"(,"start_ns":{},"duration_ns":{},"success":{},"failure":)", e.start_ns,
                          e.duration_ns, e.success);
      line += e.failure ? fmt::format("\"{}\"", FailureKindName(*e.failure)) : "null";
      if (e.type == EventType::kFirstInference || e.type == EventType::kInference) {
        line += fmt::format(R"(,"planned_unit":"{}","observed_unit":"{}")",
                            ComputeUnitName(e.planned), ComputeUnitName(e.observed));
      }
      break;
    case EventType::kFallback:
      line += fmt::format(R"(,"to_backend":{},"reason":"{}")", QuotedOrNull(e.to_backend),
                          FallbackReasonName(e.reason));
      break;
    case EventType::kCircuit:
      line += fmt::format(R"(,"from":"{}","to":"{}","rule":{},"failure":{},"wait_ns":{})",
                          CircuitStateName(e.from), CircuitStateName(e.to), JsonString(e.text),
                          e.failure ? fmt::format("\"{}\"", FailureKindName(*e.failure)) : "null",
                          e.wait_ns);
      break;
    case EventType::kMemory:
      line += fmt::format(R"(,"high_water_bytes":{})", e.memory_bytes);
      break;
    case EventType::kNote:
      line += fmt::format(R"(,"text":{})", JsonString(e.text));
      break;
  }
  return line + "}";
}

}  // namespace anemone::runtime
