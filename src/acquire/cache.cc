#include "acquire/cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>

#include "acquire/url.h"
#include "base/atomic_file.h"
#include "base/cache_root.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"

namespace anemone::acquire {
namespace {

namespace fs = std::filesystem;

constexpr int kDownloadVersion = 1;
constexpr std::string_view kDownloadSchema = "anemone.download";
constexpr size_t kMaxRecordBytes = 1 << 20;
constexpr size_t kHashBlock = size_t{1} << 20;

std::string KeyOf(std::string_view url) {
  return ToHex(Sha256Of(std::as_bytes(std::span(url.data(), url.size())))).substr(0, 32);
}

bool IsHex(std::string_view text, size_t size) {
  return text.size() == size &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<CacheRecord> ReadRecord(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  if (bytes.size() > kMaxRecordBytes) return InvalidInput("the record is too large").At(path);
  const std::string_view text = bytes.text();
  const Json json = ParseJsonOrNull(text);
  CacheRecord record;
  if (json.is_object() && json["schema"].text() == kDownloadSchema) {
    record = {json["url"].text(),
              json["name"].text(),
              json["file_name"].text(),
              json["sha256"].text(),
              0,
              json["license"].text(),
              json["fetched_from"].text(),
              json["fetched_at"].text(),
              json["tool_version"].text(),
              {}};
    record.size_bytes = json["size_bytes"].integer();
  }
  const bool plain = !record.file_name.empty() && record.file_name.front() != '.' &&
                     record.file_name.find('/') == std::string::npos;
  if (record.url.empty() || !IsHex(record.sha256, 64) || !plain || record.size_bytes < 0) {
    return InvalidInput("the record is damaged")
        .At(path)
        .Advise("'anemone fetch --verify --repair' removes damaged files");
  }
  return record;
}

Status WriteRecord(const CacheRecord& record, const std::string& path) {
  Json json;
  json["schema"] = kDownloadSchema;
  json["schema_version"] = kDownloadVersion;
  json["url"] = record.url;
  json["name"] = record.name;
  json["file_name"] = record.file_name;
  json["sha256"] = record.sha256;
  json["size_bytes"] = record.size_bytes;
  json["license"] = record.license;
  json["fetched_from"] = record.fetched_from;
  json["fetched_at"] = record.fetched_at;
  json["tool_version"] = record.tool_version;
  return WriteAtomically(path, json.Dump({.indent = 2}) + "\n");
}

Status MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(path.string());
  return {};
}

// Entries of a folder, sorted; none when it is absent.
std::vector<fs::path> Entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    paths.push_back(it->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

int64_t SizeOf(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

std::vector<fs::path> Objects(const fs::path& folder) {
  std::vector<fs::path> objects;
  for (const fs::path& shelf : Entries(folder)) {
    for (const fs::path& object : Entries(shelf)) objects.push_back(object);
  }
  return objects;
}

// By blocks, not by mapping: the memory stays small however large the file is.
Result<std::string> DigestOf(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return IoError("cannot read").At(path);
  std::vector<std::byte> block(kHashBlock);
  Sha256 hash;
  while (const size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    hash.Update(std::span(block.data(), got));
  }
  if (std::ferror(file.get()) != 0) return IoError("cannot read").At(path);
  return ToHex(hash.Finish());
}

bool SameFile(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) && !error;
}

}  // namespace

std::string DefaultCacheRoot() {
  const std::string root = CacheRoot();
  return root.empty() ? fs::temp_directory_path().string() + "/anemone" : root;
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string DownloadCache::Folder(std::string_view part) const {
  return root_ + "/downloads/" + std::string(part);
}

std::string DownloadCache::PartialFolder(std::string_view url) const {
  return Folder("partial/") + KeyOf(url);
}

std::string DownloadCache::ObjectPath(const std::string& sha256) const {
  return Folder("objects/") + sha256.substr(0, 2) + "/" + sha256;
}

std::string DownloadCache::RecordPath(std::string_view url) const {
  return Folder("records/") + KeyOf(url) + ".json";
}

Result<PathLock> DownloadCache::Lock(std::string_view url,
                                     const std::function<bool()>& waiting) const {
  return PathLock::Acquire(Folder("locks/") + KeyOf(url), waiting);
}

Result<std::optional<CacheRecord>> DownloadCache::Find(std::string_view url,
                                                       std::string_view group) const {
  std::error_code error;
  const std::string path = RecordPath(url);
  if (!fs::exists(path, error)) return std::optional<CacheRecord>();
  ANEMONE_ASSIGN(CacheRecord record, ReadRecord(path));
  const std::string object = ObjectPath(record.sha256);
  if (!fs::exists(object, error)) return std::optional<CacheRecord>();
  if (SizeOf(object) != record.size_bytes) {
    return InvalidInput("the cached file has {} bytes, but its record says {}", SizeOf(object),
                        record.size_bytes)
        .At(object)
        .Advise("'anemone fetch --verify --repair' removes damaged files; then fetch it again");
  }
  ANEMONE_TRY(MakeView(group, &record));
  return std::optional(std::move(record));
}

Status DownloadCache::MakeView(std::string_view group, CacheRecord* record) const {
  const fs::path object = ObjectPath(record->sha256);
  const fs::path folder = Folder("views/") + KeyOf(group);
  const fs::path view = folder / record->file_name;
  record->path = view.string();
  if (SameFile(view, object)) return {};
  ANEMONE_TRY(MakeFolder(folder));
  // Made beside it and renamed: another process may be reading the old one, or making the same.
  const fs::path made = folder / (".new." + std::to_string(::getpid()) + record->file_name);
  std::error_code error;
  fs::remove(made, error);
  fs::create_hard_link(object, made, error);
  if (error) {
    error.clear();
    fs::create_symlink(fs::absolute(object), made, error);
  }
  if (!error) fs::rename(made, view, error);
  std::error_code ignored;
  fs::remove(made, ignored);  // renaming one link onto another of the same file does nothing
  if (error) return IoError("cannot link: {}", error.message()).At(view.string());
  return {};
}

Status DownloadCache::Add(const std::string& path, std::string_view group,
                          CacheRecord* record) const {
  const fs::path object = ObjectPath(record->sha256);
  ANEMONE_TRY(MakeFolder(object.parent_path()));
  ANEMONE_TRY(MakeFolder(Folder("records")));
  std::error_code error;
  // The same content from another URL: if the object is intact, links to it stay valid.
  const auto there =
      fs::exists(object, error) ? DigestOf(object.string()) : Result<std::string>("");
  error.clear();
  if (there.ok() && *there == record->sha256) {
    fs::remove(path, error);
  } else {
    ::chmod(path.c_str(), 0444);
    fs::rename(path, object, error);
  }
  if (error) return IoError("cannot move into the cache: {}", error.message()).At(object.string());
  ANEMONE_TRY(MakeView(group, record));
  return WriteRecord(*record, RecordPath(record->url));
}

Result<CacheListing> DownloadCache::List() const {
  CacheListing listing;
  listing.root = root_;
  for (const fs::path& path : Entries(Folder("records"))) {
    if (path.extension() != ".json") continue;
    auto record = ReadRecord(path.string());
    if (!record.ok()) continue;  // Verify() reports it
    record->path = ObjectPath(record->sha256);
    listing.records.push_back(std::move(record).value());
  }
  std::sort(listing.records.begin(), listing.records.end(),
            [](const CacheRecord& a, const CacheRecord& b) {
              return std::pair(a.name, a.url) < std::pair(b.name, b.url);
            });
  for (const fs::path& object : Objects(Folder("objects"))) listing.object_bytes += SizeOf(object);
  for (const fs::path& folder : Entries(Folder("partial"))) {
    for (const fs::path& file : Entries(folder)) listing.partial_bytes += SizeOf(file);
  }
  return listing;
}

Result<int64_t> DownloadCache::Clear(const std::string& which) const {
  ANEMONE_ASSIGN(const CacheListing before, List());
  std::error_code error;
  if (which.empty()) {
    for (const char* part : {"views", "records", "objects", "partial"}) {
      fs::remove_all(Folder(part), error);
      if (error) return IoError("cannot remove: {}", error.message()).At(Folder(part));
    }
    return before.object_bytes + before.partial_bytes;
  }
  std::set<std::string> kept;
  std::set<std::string> dropped;
  bool found = false;
  for (const CacheRecord& record : before.records) {
    const bool chosen = record.url == which || record.name == which;
    found = found || chosen;
    (chosen ? dropped : kept).insert(record.sha256);
    if (!chosen) continue;
    fs::remove(RecordPath(record.url), error);
    fs::remove_all(Folder("views/") + KeyOf(record.name.empty() ? record.url : record.name), error);
  }
  if (!found) {
    return NotFound("the cache has nothing of '{}'", which).Advise("'anemone cache ls' lists it");
  }
  int64_t freed = 0;
  for (const std::string& sha256 : dropped) {
    if (kept.contains(sha256)) continue;
    freed += SizeOf(ObjectPath(sha256));
    fs::remove(ObjectPath(sha256), error);
  }
  return freed;
}

Result<std::vector<CacheProblem>> DownloadCache::Verify(
    bool repair, const std::function<bool(const CacheRecord&)>& progress) const {
  std::vector<CacheProblem> problems;
  std::map<std::string, std::string> verdicts;  // by digest: empty is good
  std::error_code ignored;
  const auto problem = [&](const std::string& url, const std::string& path, std::string what,
                           const std::string& object) {
    problems.push_back({url, path, std::move(what)});
    if (!repair) return;
    if (!url.empty()) {
      fs::remove(RecordPath(url), ignored);
    } else {
      fs::remove(path, ignored);
    }
    if (!object.empty()) fs::remove(object, ignored);
  };
  const auto judge = [&](const std::string& sha256) -> const std::string& {
    const auto known = verdicts.find(sha256);
    if (known != verdicts.end()) return known->second;
    const std::string object = ObjectPath(sha256);
    std::string verdict;
    if (!fs::exists(object, ignored)) {
      verdict = "the content is missing";
    } else {
      const auto digest = DigestOf(object);
      if (!digest.ok()) verdict = digest.error().message();
      if (digest.ok() && *digest != sha256) {
        verdict =
            fmt::format("the content has the SHA-256 {}, but {} is expected", *digest, sha256);
      }
    }
    return verdicts[sha256] = verdict;
  };
  for (const fs::path& path : Entries(Folder("records"))) {
    if (path.extension() != ".json") continue;
    const auto record = ReadRecord(path.string());
    if (!record.ok()) {
      problem("", path.string(), record.error().message(), "");
      continue;
    }
    if (progress && !progress(*record)) return Cancelled("interrupted");
    const std::string& verdict = judge(record->sha256);
    if (!verdict.empty()) {
      problem(record->url, ObjectPath(record->sha256), verdict, ObjectPath(record->sha256));
    }
  }
  for (const fs::path& object : Objects(Folder("objects"))) {
    const std::string name = object.filename().string();
    if (verdicts.contains(name)) continue;
    if (!IsHex(name, 64)) {
      problem("", object.string(), "this is not an object of the cache", "");
    } else if (const std::string& verdict = judge(name); !verdict.empty()) {
      problem("", object.string(), verdict, "");
    }
  }
  return problems;
}

}  // namespace anemone::acquire
