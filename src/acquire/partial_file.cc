#include "acquire/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace anemone::acquire {
namespace {

constexpr int kPartialVersion = 1;
constexpr size_t kMaxStateBytes = 1 << 20;

// Differs after each start of the machine; empty where the system does not provide it.
std::string BootId() {
  std::ifstream stream("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(stream, id);
  return id;
}

}  // namespace

std::string PartialIdentity::validator() const {
  if (!etag.empty() && !etag.starts_with("W/")) return etag;
  return last_modified;
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      fd_(std::exchange(other.fd_, -1)),
      segments_(std::move(other.segments_)),
      identity_(std::move(other.identity_)) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PartialFile> PartialFile::Open(const std::string& folder, const std::string& url) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(folder);
  const std::string path = folder + "/data";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return IoError("cannot write: {}", std::strerror(errno)).At(path);
  PartialFile partial(folder, fd);
  if (!partial.TakeUp(url)) {
    partial.identity_ = {url, {}, {}};
    ANEMONE_TRY(partial.Restart(std::nullopt));
  }
  return partial;
}

bool PartialFile::TakeUp(const std::string& url) {
  const auto bytes = MapFile(folder_ + "/state.json");
  if (!bytes.ok() || bytes->size() > kMaxStateBytes) return false;
  const std::string_view text = bytes->text();
  const Json json = ParseJsonOrNull(text);
  if (!json.is_object() || json["url"].text() != url) return false;
  if (json["schema_version"] != kPartialVersion) return false;
  if (!json["synced"].boolean() && json["boot_id"].text() != BootId()) return false;
  std::optional<int64_t> total;
  if (json["total_bytes"].is_integer()) total = json["total_bytes"].integer();
  if (total && *total < 0) return false;
  auto segments = Segments::Parse(json["ranges"].text(), total);
  if (!segments.ok()) return false;
  // The file must be as long as the record says.
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return false;
  int64_t last = 0;
  for (size_t i = 0; i < segments->size(); ++i) last = segments->at(i).position;
  if (info.st_size < last) return false;
  segments_ = std::move(segments).value();
  identity_ = {url, json["etag"].text(), json["last_modified"].text()};
  return true;
}

Status PartialFile::Write(int64_t offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t wrote = ::pwrite(fd_, data.data(), data.size(), offset);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      return IoError("cannot write: {}", std::strerror(wrote < 0 ? errno : EIO)).At(path());
    }
    data = data.subspan(static_cast<size_t>(wrote));
    offset += wrote;
  }
  return {};
}

Status PartialFile::Restart(std::optional<int64_t> total) {
  segments_.Restart(total);
  if (::ftruncate(fd_, 0) != 0) {
    return IoError("cannot write: {}", std::strerror(errno)).At(path());
  }
  return {};
}

Status PartialFile::Save(bool sync) {
  if (sync && ::fsync(fd_) != 0) {
    return IoError("cannot write: {}", std::strerror(errno)).At(path());
  }
  Json json;
  json["schema"] = "anemone.partial";
  json["schema_version"] = kPartialVersion;
  json["url"] = identity_.url;
  json["etag"] = identity_.etag;
  json["last_modified"] = identity_.last_modified;
  const auto total = segments_.total();
  json["total_bytes"] = total ? Json(*total) : Json(nullptr);
  json["ranges"] = segments_.Print();
  json["boot_id"] = BootId();
  json["synced"] = sync;
  return WriteAtomically(folder_ + "/state.json", json.Dump());
}

void PartialFile::Discard() {
  ::unlink(path().c_str());
  Finish();
}

void PartialFile::Finish() { ::unlink((folder_ + "/state.json").c_str()); }

}  // namespace anemone::acquire
