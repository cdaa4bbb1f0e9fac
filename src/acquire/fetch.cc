#include "acquire/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "acquire/content_check.h"
#include "acquire/pins.h"
#include "acquire/safetensors_header.h"
#include "acquire/url.h"
#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/sha256.h"

namespace anemone::acquire {
namespace {

// How many letters to change, add or drop to turn one into the other.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
      corner = above;
    }
  }
  return row[b.size()];
}

Error UnknownName(const std::string& name) {
  std::vector<std::string> near;
  std::vector<std::string> all;
  for (const CatalogEntry& entry : Catalog()) {
    all.push_back(entry.name);
    if (Distance(name, entry.name) <= 2 + name.size() / 6) near.push_back(entry.name);
  }
  const auto& shown = near.empty() ? all : near;
  return Usage("the catalog has no model '{}'", name)
      .Advise(fmt::format("{}: {}", near.empty() ? "there are" : "did you mean",
                          fmt::join(shown, ", ")));
}

// Download() for a file on this machine.
Result<DownloadResult> CopyIn(const std::string& from, const DownloadRequest& request) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(from.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return NotFound("cannot read: {}", std::strerror(errno)).At(from);
  std::error_code error;
  std::filesystem::create_directories(request.folder, error);
  const std::string path = request.folder + "/data";
  ANEMONE_ASSIGN(AtomicFile copy, AtomicFile::Create(path));
  Sha256 hash;
  DownloadResult result;
  std::vector<std::byte> block(size_t{1} << 20);
  while (const size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    const std::span<const std::byte> piece(block.data(), got);
    hash.Update(piece);
    ANEMONE_TRY(copy.Write(piece));
    result.size_bytes += static_cast<int64_t>(got);
  }
  if (std::ferror(file.get()) != 0) return IoError("cannot read").At(from);
  result.sha256 = ToHex(hash.Finish());
  if (!result.sha256.starts_with(request.sha256)) {
    return InvalidInput("the content has the SHA-256 {}, but {} is expected", result.sha256,
                        request.sha256)
        .At(from);
  }
  if (request.size_bytes && *request.size_bytes != result.size_bytes) {
    return InvalidInput("the file has {} bytes, but {} are expected", result.size_bytes,
                        *request.size_bytes)
        .At(from);
  }
  result.path = path;
  result.fetched_from = "a file on this machine";
  ANEMONE_TRY(copy.Commit());
  return result;
}

class Fetcher {
 public:
  explicit Fetcher(const FetchOptions& options)
      : options_(options),
        cache_(options.cache_root.empty() ? DefaultCacheRoot() : options.cache_root),
        lock_file_(options.lock_file.empty() ? DefaultLockFile() : options.lock_file) {}

  Result<FetchedFile> FetchFile(const CatalogFile& wanted, const CatalogEntry* entry,
                                const std::string& group);

 private:
  // The expected digest, and its source.
  struct Expectation {
    std::string sha256;
    std::string by;
  };
  Result<Expectation> Expect(const CatalogFile& wanted, const CatalogEntry* entry,
                             const std::string& url) const;

  const FetchOptions& options_;
  DownloadCache cache_;
  std::string lock_file_;
};

Result<Fetcher::Expectation> Fetcher::Expect(const CatalogFile& wanted, const CatalogEntry* entry,
                                             const std::string& url) const {
  if (!wanted.sha256.empty()) {
    return Expectation{wanted.sha256, entry != nullptr ? "catalog" : "--sha256"};
  }
  if (entry == nullptr) return Expectation{"", "nothing"};
  ANEMONE_ASSIGN(const auto pins, ReadPins(lock_file_));
  const auto pin = pins.find(url);
  if (pin != pins.end()) return Expectation{pin->second, "lock file"};
  if (!wanted.sha256_prefix.empty()) return Expectation{wanted.sha256_prefix, "catalog prefix"};
  return Expectation{"", "first use"};
}

Result<FetchedFile> Fetcher::FetchFile(const CatalogFile& wanted, const CatalogEntry* entry,
                                       const std::string& group) {
  ANEMONE_ASSIGN(const Url url, ParseUrl(wanted.url));
  ANEMONE_ASSIGN(const Expectation expected, Expect(wanted, entry, url.text));
  const auto waiting = [this] {
    DownloadProgress progress;
    progress.note = "another process is fetching this file; waiting for it";
    return !options_.network.progress || options_.network.progress(progress);
  };
  const auto from_cache = [&]() -> Result<std::optional<FetchedFile>> {
    if (options_.refresh || !options_.from.empty()) return std::optional<FetchedFile>();
    ANEMONE_ASSIGN(auto record, cache_.Find(url.text, group));
    if (!record) return std::optional<FetchedFile>();
    if (!record->sha256.starts_with(expected.sha256)) {
      return InvalidInput("the cached file has the SHA-256 {}, but {} is expected ({})",
                          record->sha256, expected.sha256, expected.by)
          .At(record->path)
          .Advise("fetch it again with --refresh");
    }
    FetchedFile file{std::move(*record), true, expected.by, {}};
    if (expected.by == "first use") file.checked_against = "record";
    return std::optional(std::move(file));
  };
  ANEMONE_ASSIGN(auto cached, from_cache());
  if (cached) return std::move(*cached);
  if (options_.network.offline && options_.from.empty()) {
    return NotFound("'{}' is not in the cache, and nothing is fetched offline", url.text)
        .Advise(
            "fetch it once without --offline and ANEMONE_OFFLINE, or name the file with --from");
  }
  ANEMONE_ASSIGN(const PathLock lock, cache_.Lock(url.text, waiting));
  ANEMONE_ASSIGN(cached, from_cache());  // another process may have fetched it meanwhile
  if (cached) return std::move(*cached);

  const DownloadRequest request{url.text, cache_.PartialFolder(url.text), wanted.size_bytes,
                                expected.sha256, url.file_name.ends_with(".html")};
  const auto clean_up = [&] {  // removes the folder when nothing is kept in it
    std::error_code ignored;
    std::filesystem::remove(request.folder, ignored);
  };
  auto downloaded =
      options_.from.empty() ? Download(request, options_.network) : CopyIn(options_.from, request);
  if (!downloaded.ok()) {
    clean_up();
    return std::move(downloaded).error();
  }
  const Status content = CheckContent(downloaded->path, url.file_name);
  if (!content.ok()) {
    std::error_code ignored;
    std::filesystem::remove(downloaded->path, ignored);
    clean_up();
    return Status(content).At(url.text).error();
  }
  if (expected.by == "first use" || expected.by == "catalog prefix") {
    ANEMONE_TRY(AddPin(lock_file_, url.text, downloaded->sha256));
  }
  FetchedFile file;
  file.checked_against = expected.by;
  file.record = {url.text,
                 entry != nullptr ? entry->name : "",
                 url.file_name,
                 downloaded->sha256,
                 downloaded->size_bytes,
                 entry != nullptr ? entry->license : "",
                 downloaded->fetched_from,
                 UtcNow(),
                 ANEMONE_VERSION,
                 {}};
  ANEMONE_TRY(cache_.Add(downloaded->path, group, &file.record));
  clean_up();
  file.download = std::move(downloaded).value();
  return file;
}

// The shards that a safetensors index names, beside it.
Result<std::vector<CatalogFile>> ShardsOf(const CacheRecord& index) {
  ANEMONE_ASSIGN(const Bytes text, MapFile(index.path));
  ANEMONE_ASSIGN(const auto map, ParseIndex(text.text()).At(index.path));
  const std::string plain = index.url.substr(0, index.url.find('?'));
  const std::string folder = plain.substr(0, plain.rfind('/') + 1);
  std::vector<std::string> names;
  for (const auto& [tensor, file] : map) names.push_back(file);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<CatalogFile> files;
  for (const std::string& name : names) files.push_back({folder + name, {}, {}, {}});
  return files;
}

}  // namespace

FetchOptions FetchOptions::FromEnvironment() {
  FetchOptions options;
  options.network = NetworkOptions::FromEnvironment();
  return options;
}

Result<Fetched> Fetch(const std::string& name_or_url, const FetchOptions& options) {
  Fetched fetched;
  std::vector<CatalogFile> wanted;
  std::string group;
  if (LooksLikeUrl(name_or_url)) {
    ANEMONE_ASSIGN(const Url url, ParseUrl(name_or_url));
    group = url.text;
    wanted.push_back({url.text, {}, options.sha256, {}});
  } else {
    fetched.entry = FindInCatalog(name_or_url);
    if (fetched.entry == nullptr) return UnknownName(name_or_url);
    if (!options.sha256.empty()) {
      return Usage("--sha256 is for URLs; the catalog has its own digests");
    }
    group = fetched.entry->name;
    wanted = fetched.entry->files;
  }
  if (!options.from.empty() && wanted.size() != 1) {
    return Usage("'{}' consists of {} files, but --from names one", name_or_url, wanted.size());
  }
  Fetcher fetcher(options);
  for (size_t i = 0; i < wanted.size(); ++i) {
    ANEMONE_ASSIGN(FetchedFile file, fetcher.FetchFile(wanted[i], fetched.entry, group));
    if (file.record.file_name.ends_with(".safetensors.index.json")) {
      ANEMONE_ASSIGN(auto shards, ShardsOf(file.record));
      wanted.insert(wanted.end(), shards.begin(), shards.end());
    }
    fetched.files.push_back(std::move(file));
  }
  return fetched;
}

}  // namespace anemone::acquire
