// Files and directories that appear whole or not at all. Both are written beside the target, under
// a hidden temporary name in the same folder, and take the target's place in Commit(). When
// Commit() is not reached or fails, the destructor removes what was written and the target is
// unchanged. So does the end of the process (base/leftovers.h); only a process killed by SIGKILL
// leaves the hidden temporary behind, which a later writer of the same target removes after a day.
//
//   ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
//   ANEMONE_TRY(file.Write(bytes));
//   ANEMONE_TRY(file.Commit());
//
// Thread rules: one thread per object; two writers of one target do not mix; the last Commit wins.
// Errors: kIo with the target's path and the system's reason (a full disk included).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/leftovers.h"
#include "base/status.h"

namespace anemone {

// `path` as its user knows it: of a temporary that exists now, or of what lies in it, the place
// that it will take. For the errors of those who write into an AtomicDirectory by themselves.
std::string FinalPath(const std::string& path);

// Whether Commit() waits until the data is on the disk. Either way a crash of the process leaves no
// half file; kDisk also covers a crash of the machine.
enum class Durability { kProcess, kDisk };

// A new file, written front to back. Closed by Close(), or by the destructor, which ignores errors.
class OutputFile {
 public:
  // With kDisk the disk starts writing while the file is still being filled, and Close() waits for
  // the rest.
  static Result<OutputFile> Create(const std::string& path,
                                   Durability durability = Durability::kProcess);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  Status Write(std::span<const std::byte> data);
  Status Write(std::string_view text) {
    return Write(std::as_bytes(std::span(text.data(), text.size())));
  }
  // Writes all pieces, one after the other, in few system calls.
  Status Write(std::span<const std::span<const std::byte>> pieces);
  // Bytes written so far.
  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& path() const { return path_; }
  Status Close();

 private:
  OutputFile(std::string path, int fd, Durability durability)
      : path_(std::move(path)), fd_(fd), durability_(durability) {}
  void StartWriteback();

  std::string path_;
  int fd_ = -1;
  Durability durability_ = Durability::kProcess;
  uint64_t size_bytes_ = 0;
  uint64_t started_bytes_ = 0;  // what the disk has been asked to write
};

class AtomicFile {
 public:
  static Result<AtomicFile> Create(const std::string& target,
                                   Durability durability = Durability::kProcess);
  AtomicFile(AtomicFile&& other) noexcept
      : target_(std::move(other.target_)),
        temporary_(std::exchange(other.temporary_, {})),
        file_(std::move(other.file_)),
        durability_(other.durability_),
        leftover_(std::move(other.leftover_)) {}
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status Write(std::span<const std::byte> data) { return file_.Write(data); }
  Status Write(std::string_view text) { return file_.Write(text); }
  // Replaces `target` with what was written. Call once.
  Status Commit();

 private:
  AtomicFile(std::string target, OutputFile file, Durability durability, Leftover leftover);
  std::string target_;
  std::string temporary_;  // empty once committed or moved from
  OutputFile file_;
  Durability durability_;
  Leftover leftover_;
};

// Creates, writes and commits a file of this text.
Status WriteAtomically(const std::string& path, std::string_view text);

// A new directory tree that takes the place of `target`, which may be absent or a directory.
// An existing target and the new tree are swapped in one step where the file system supports it
// (renameat2(RENAME_EXCHANGE) on Linux, renamex_np(RENAME_SWAP) on macOS). Where it does not, the
// old tree is renamed away first: a crash in the few microseconds between the two renames leaves no
// tree at `target`, and the old one, whole, beside it under the hidden name.
class AtomicDirectory {
 public:
  static Result<AtomicDirectory> Create(const std::string& target);
  AtomicDirectory(AtomicDirectory&& other) noexcept
      : target_(std::move(other.target_)),
        temporary_(std::exchange(other.temporary_, {})),
        leftover_(std::move(other.leftover_)) {}
  AtomicDirectory& operator=(AtomicDirectory&&) = delete;
  ~AtomicDirectory();

  // The temporary directory: put files here.
  const std::string& path() const { return temporary_; }
  // Call once, with every file in it closed.
  Status Commit(Durability durability = Durability::kProcess);

 private:
  AtomicDirectory(std::string target, std::string temporary, Leftover leftover)
      : target_(std::move(target)),
        temporary_(std::move(temporary)),
        leftover_(std::move(leftover)) {}
  Status PutInPlace();
  std::string target_;
  std::string temporary_;  // empty once committed or moved from
  Leftover leftover_;
};

}  // namespace anemone
