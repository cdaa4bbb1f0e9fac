// A download that is not complete yet: the data file and, beside it, a record of which bytes it
// holds. Ownership: owns the descriptor. Thread rules: one thread. Errors: kIo.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "acquire/segments.h"
#include "base/status.h"

namespace anemone::acquire {

// Identifies the file, and the version of it, that the bytes belong to.
struct PartialIdentity {
  std::string url;
  std::string etag;
  std::string last_modified;
  std::string validator() const;  // for If-Range
};

class PartialFile {
 public:
  // Opens FOLDER/data and resumes from state.json. Starts over when there is no state, or it is for
  // another URL, unreadable, or from before a restart of the machine and never synced.
  static Result<PartialFile> Open(const std::string& folder, const std::string& url);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  int fd() const { return fd_; }
  std::string path() const { return folder_ + "/data"; }
  Segments& segments() { return segments_; }
  PartialIdentity& identity() { return identity_; }

  Status Write(int64_t offset, std::span<const std::byte> data);
  // Empties the file.
  Status Restart(std::optional<int64_t> total);
  // Writes the record; `sync` flushes the data first, so that both survive a crash of the machine.
  Status Save(bool sync);
  // Removes both files.
  void Discard();
  // The data is complete: removes only the record.
  void Finish();

 private:
  PartialFile(std::string folder, int fd) : folder_(std::move(folder)), fd_(fd) {}
  bool TakeUp(const std::string& url);

  std::string folder_;
  int fd_;
  Segments segments_;
  PartialIdentity identity_;
};

}  // namespace anemone::acquire
