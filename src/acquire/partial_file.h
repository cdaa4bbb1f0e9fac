// A download that is not whole yet: the data file and, beside it, the book of what is in it.
// Ownership: owns the descriptor. Thread rules: one thread. Errors: kIo.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "acquire/segments.h"
#include "base/status.h"

namespace anemone::acquire {

// Which version of which file the bytes belong to.
struct PartialIdentity {
  std::string url;
  std::string etag;
  std::string last_modified;
  std::string validator() const;  // for If-Range
};

class PartialFile {
 public:
  // Opens FOLDER/data and takes up what state.json says of it; starts anew when there is no state,
  // or it is of another URL, unreadable, or from before a restart of the machine without having
  // been synced.
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
  // Writes the book; `sync` first brings the data to the disk, so that it outlives the machine.
  Status Save(bool sync);
  // Removes both files.
  void Discard();
  // The data is whole: only the book goes.
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
