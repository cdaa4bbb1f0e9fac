#include "acquire/download.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "acquire/partial_file.h"
#include "acquire/prefix_hasher.h"
#include "acquire/retry.h"
#include "acquire/transfer.h"
#include "acquire/url.h"
#include "acquire/write_behind.h"

namespace anemone::acquire {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A second connection costs a handshake: it is opened only when the first would need
// longer than this.
constexpr double kWorthSplittingSeconds = 1.0;
constexpr int64_t kSmallestPart = int64_t{4} << 20;
constexpr auto kWarmUp = milliseconds(400);  // time to measure the first connection's speed
constexpr auto kSaveEvery = milliseconds(500);
constexpr auto kReportEvery = milliseconds(200);
constexpr auto kRateWindow = std::chrono::seconds(5);
// Progress of this many bytes resets the count of failures.
constexpr int64_t kForgivingBytes = int64_t{1} << 20;

int64_t NowUnix() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string WithoutQuery(std::string url) { return url.substr(0, url.find('?')); }

// A page of HTML where a file should be: an error page, or a form to log in or accept a license.
bool LooksLikeHtml(std::span<const std::byte> head) {
  std::string text;
  for (const std::byte byte : head.first(std::min<size_t>(head.size(), 256))) {
    const auto c = static_cast<unsigned char>(byte);
    if (text.empty() && (std::isspace(c) || c == 0xEF || c == 0xBB || c == 0xBF)) continue;
    text += static_cast<char>(std::tolower(c));
  }
  constexpr std::array<std::string_view, 4> kOpenings{"<!doctype html", "<html", "<head", "<body"};
  return std::any_of(kOpenings.begin(), kOpenings.end(),
                     [&](std::string_view opening) { return text.starts_with(opening); });
}

class Downloader {
 public:
  Downloader(const DownloadRequest& request, const NetworkOptions& options, PartialFile& partial,
             std::string url)
      : request_(request),
        options_(options),
        partial_(partial),
        url_(std::move(url)),
        hasher_(partial.fd()),
        writer_([this](int64_t offset, auto data) { return partial_.Write(offset, data); },
                [this](int64_t whole) { hasher_.Advance(whole); }),
        multi_(curl_multi_init(), curl_multi_cleanup),
        random_(std::random_device{}()) {}

  Result<DownloadResult> Run();
  // Whether the bytes on disk are worth keeping after a failure.
  bool resumable() const { return resumable_ && !fatal_; }
  // Whether the failed file held bytes of an earlier run.
  bool resumed() const { return fatal_ && result_.resumed_bytes > 0; }

 private:
  // One connection and the segment that it fills.
  struct Job {
    int64_t begin = 0;  // identifies the segment: positions move, beginnings do not
    int64_t asked = 0;  // the first byte asked for
    bool ranged = false;
    bool finished_early = false;  // the segment was complete, so the rest of the answer is dropped
    std::unique_ptr<Transfer> transfer;
  };

  Segment* SegmentOf(const Job& job);
  void Start(size_t index);
  bool Accept(Job& job, const Response& response);
  bool AcceptWhole(Job& job, const Response& response);
  bool AcceptRange(Job& job, const Response& response);
  bool Take(Job& job, std::span<const std::byte> data);
  void Ended(Job& job, CURLcode code);
  void Failed(const std::string& reason, int64_t pause_ms = -1);
  bool Fail(Error error);
  bool CheckTotal(int64_t total);
  bool BeginAnew();
  void Identify(const Response& response);
  void StartMore();
  void Reap();
  Status Report(bool force);
  Result<DownloadResult> Complete();
  int64_t Received() const { return partial_.segments().done_bytes(); }

  const DownloadRequest& request_;
  const NetworkOptions& options_;
  PartialFile& partial_;
  std::string url_;
  PrefixHasher hasher_;
  WriteBehind writer_;  // declared after the hasher that it feeds, so destroyed first
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::minstd_rand random_;
  DownloadResult result_;

  Status error_;
  bool fatal_ = false;      // the content is wrong: nothing on disk is worth keeping
  bool resumable_ = false;  // the server has shown that it serves ranges of this file
  bool restarted_ = false;  // after a 416; at most once
  int limit_ = 1;           // connections allowed now
  int failures_in_row_ = 0;
  int64_t most_received_ = 0;  // at a failure; only more than this is progress
  std::string last_failure_;
  Clock::time_point pause_until_{};
  Clock::time_point started_ = Clock::now();
  Clock::time_point first_byte_{};
  Clock::time_point saved_{};
  Clock::time_point reported_{};
  std::deque<std::pair<Clock::time_point, int64_t>> history_;
};

Segment* Downloader::SegmentOf(const Job& job) {
  Segments& segments = partial_.segments();
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments.at(i).begin == job.begin) return &segments.at(i);
  }
  return nullptr;
}

bool Downloader::Fail(Error error) {
  if (error_.ok()) {
    fatal_ = true;
    error_ = std::move(error);
  }
  return false;
}

bool Downloader::CheckTotal(int64_t total) {
  if (request_.size_bytes && total != *request_.size_bytes) {
    return Fail(
        InvalidInput("the server offers {} bytes, but {} are expected", total, *request_.size_bytes)
            .Advise("the file behind this address has changed"));
  }
  if (total > options_.max_bytes) {
    return Fail(InvalidInput("the server announces {} bytes, but the limit is {}", total,
                             options_.max_bytes)
                    .Advise("raise it with --max-size if that is right"));
  }
  struct statvfs disk{};
  if (::statvfs(request_.folder.c_str(), &disk) == 0) {
    const auto free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
    const auto needed = static_cast<double>(total - Received());
    if (needed > free_bytes) {
      return Fail(IoError("{} bytes are still to come, but the disk has room for {:.0f}",
                          total - Received(), free_bytes)
                      .At(request_.folder)
                      .Advise("make room, or name another place with --cache-dir"));
    }
  }
  if (!partial_.segments().SetTotal(total)) {
    return Fail(InvalidInput("the server says {} bytes now but said {} before", total,
                             partial_.segments().total().value_or(-1)));
  }
  return true;
}

bool Downloader::BeginAnew() {
  if (const Status status = writer_.Flush(); !status.ok()) return Fail(Error(status.error()));
  hasher_.Restart();
  result_.resumed_bytes = 0;
  const Status status = partial_.Restart(std::nullopt);
  return status.ok() || Fail(Error(status.error()));
}

void Downloader::Identify(const Response& response) {
  partial_.identity().etag = response.etag;
  partial_.identity().last_modified = response.last_modified;
}

void Downloader::Start(size_t index) {
  Segment& segment = partial_.segments().at(index);
  auto job = std::make_unique<Job>();
  job->begin = segment.begin;
  job->asked = segment.position;
  TransferSettings settings;
  settings.url = url_;
  settings.ca_file = options_.ca_file;
  settings.connect_timeout_ms = options_.connect_timeout_ms;
  settings.stall_seconds = options_.stall_seconds;
  settings.min_bytes_per_second = options_.min_bytes_per_second;
  settings.first_byte = segment.position;
  const auto total = partial_.segments().total();
  if (segment.end >= 0 && total && segment.end < *total) settings.last_byte = segment.end - 1;
  job->ranged = settings.first_byte > 0 || settings.last_byte.has_value();
  if (job->ranged) settings.if_range = partial_.identity().validator();
  Job* raw = job.get();
  job->transfer = std::make_unique<Transfer>(
      settings, [this, raw](const Response& response) { return Accept(*raw, response); },
      [this, raw](std::span<const std::byte> data) { return Take(*raw, data); });
  if (job->transfer->handle() == nullptr ||
      curl_multi_add_handle(multi_.get(), job->transfer->handle()) != CURLM_OK) {
    Fail(Internal("libcurl cannot start a transfer"));
    return;
  }
  segment.active = true;
  jobs_.push_back(std::move(job));
  result_.connections_used = std::max(result_.connections_used, static_cast<int>(jobs_.size()));
}

// The header of an answer that has a body. False stops the transfer.
bool Downloader::Accept(Job& job, const Response& response) {
  first_byte_ = first_byte_ == Clock::time_point{} ? Clock::now() : first_byte_;
  if (response.status != 200 && response.status != 206) return false;  // Ended() says why
  if (!request_.html_expected &&
      (response.content_type == "text/html" || response.content_type == "application/xhtml+xml")) {
    return Fail(InvalidInput("the server answered with a web page (HTML), not with the file")
                    .Advise("open the address in a browser: it may want a login or the acceptance "
                            "of a license"));
  }
  if (!response.bad_length.empty()) {
    return Fail(
        IoError("the server announces a length of '{}'", response.bad_length.substr(0, 40)));
  }
  if (!response.content_encoding.empty() && response.content_encoding != "identity") {
    return Fail(InvalidInput("the server sent the content as '{}', which was not asked for",
                             response.content_encoding));
  }
  return response.status == 206 ? AcceptRange(job, response) : AcceptWhole(job, response);
}

bool Downloader::AcceptWhole(Job& job, const Response& response) {
  if (job.ranged) {
    // Another version of the file (If-Range says so), or a server without ranges.
    if (jobs_.size() > 1) {
      last_failure_ = "the server stopped serving ranges";
      limit_ = 0;  // Ended() lets the others finish, then starts over with one
      return false;
    }
    if (!BeginAnew()) return false;
    job.begin = job.asked = 0;
    job.ranged = false;
    partial_.segments().at(0).active = true;
  } else if (Received() == 0 && partial_.segments().size() == 1 &&
             partial_.identity().validator() != response.validator()) {
    partial_.segments().Restart(std::nullopt);
    partial_.segments().at(0).active = true;
  }
  Identify(response);
  if (response.content_length && !CheckTotal(*response.content_length)) return false;
  // Resuming needs ranges, and a validator that identifies this version of the file.
  resumable_ = response.accepts_ranges && !response.validator().empty();
  return true;
}

bool Downloader::AcceptRange(Job& job, const Response& response) {
  if (!job.ranged)
    return Fail(IoError("the server sent a part (206), but the whole file was requested"));
  if (!response.range_first || *response.range_first != job.asked) {
    return Fail(IoError("byte {} was requested, but the server sent from {}", job.asked,
                        response.range_first.value_or(-1)));
  }
  const std::string validator = partial_.identity().validator();
  if (!validator.empty() && !response.validator().empty() && response.validator() != validator) {
    return Fail(IoError("the server sent a part of another version of the file")
                    .Advise("fetch again: it starts over"));
  }
  if (validator.empty()) Identify(response);
  if (response.range_total && !CheckTotal(*response.range_total)) return false;
  resumable_ = true;
  return true;
}

bool Downloader::Take(Job& job, std::span<const std::byte> data) {
  Segment* segment = SegmentOf(job);
  if (segment == nullptr) return false;
  if (segment->position == 0 && !request_.html_expected && LooksLikeHtml(data)) {
    return Fail(InvalidInput("the server answered with a web page (HTML), not with the file")
                    .Advise("open the address in a browser: it may want a login or the acceptance "
                            "of a license"));
  }
  const auto size = static_cast<int64_t>(data.size());
  const int64_t wanted =
      segment->end >= 0 ? std::min(size, segment->end - segment->position) : size;
  if (segment->end < 0) {
    const int64_t limit = request_.size_bytes.value_or(options_.max_bytes_unannounced);
    if (segment->position + size > limit) {
      return Fail(
          request_.size_bytes
              ? InvalidInput("the server sends more than the {} bytes expected", limit)
              : InvalidInput("the server announces no length and sent more than {} bytes", limit)
                    .Advise("raise the limit with --max-size if the file is that large"));
    }
  }
  if (const Status status = writer_.Write(segment->position, data.first(size_t(wanted)));
      !status.ok()) {
    return Fail(Error(status.error()));
  }
  segment->position += wanted;
  result_.transferred_bytes += wanted;
  writer_.Mark(partial_.segments().contiguous_bytes());
  if (segment->complete() && wanted < size) {
    job.finished_early = true;  // the other half of this segment has gone to another connection
    return false;
  }
  return true;
}

// A failure that another attempt may cure.
void Downloader::Failed(const std::string& reason, int64_t pause_ms) {
  last_failure_ = reason;
  ++result_.failures;
  if (Received() - most_received_ >= kForgivingBytes) failures_in_row_ = 0;
  most_received_ = std::max(most_received_, Received());
  ++failures_in_row_;
  limit_ = 1;  // more connections do not help a server in trouble
  if (pause_ms > options_.max_wait_seconds * 1000) {
    if (error_.ok()) {
      error_ = IoError("{}; it asks to retry in {} s", reason, pause_ms / 1000)
                   .Advise(fmt::format("try again then; waits of up to {} s are sat out "
                                       "(--max-wait)",
                                       options_.max_wait_seconds));
    }
    return;
  }
  // A host that was never reached probably does not exist: do not wait long for it.
  const bool reached = first_byte_ != Clock::time_point{};
  if (failures_in_row_ > (reached ? options_.retries : std::min(options_.retries, 2))) {
    if (error_.ok()) {
      error_ = IoError("{}; given up after {} attempts", reason, failures_in_row_)
                   .Advise(
                       "check the connection and fetch again: what has arrived is kept where "
                       "the server can resume");
    }
    return;
  }
  // Without a validator, the rest might come from another version of the file.
  if (jobs_.empty() && partial_.identity().validator().empty() && request_.sha256.size() < 64) {
    BeginAnew();
  }
  const double jitter = static_cast<double>(random_() - std::minstd_rand::min()) /
                        static_cast<double>(std::minstd_rand::max());
  const int64_t pause = pause_ms >= 0 ? pause_ms : BackOffMs(failures_in_row_, jitter);
  pause_until_ = std::max(pause_until_, Clock::now() + milliseconds(pause));
}

void Downloader::Ended(Job& job, CURLcode code) {
  Response response = job.transfer->response();
  curl_easy_getinfo(job.transfer->handle(), CURLINFO_RESPONSE_CODE, &response.status);
  Segment* segment = SegmentOf(job);
  if (segment != nullptr) segment->active = false;
  result_.fetched_from = WithoutQuery(job.transfer->effective_url());
  if (!error_.ok() || job.finished_early) return;
  const long status = response.status;
  if (code == CURLE_UNSUPPORTED_PROTOCOL && response.location.empty()) {
    Fail(IoError("the server does not speak HTTP/1: {}", job.transfer->ErrorText(code))
             .Advise("check the address and its port"));
  } else if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    Fail(IoError("the server redirects to '{}', which is not followed",
                 response.location.substr(0, 200))
             .Advise("only https and http are followed, and never from https to http"));
  } else if (code == CURLE_TOO_MANY_REDIRECTS) {
    Fail(IoError("the server redirects endlessly, last to '{}'", response.location.substr(0, 200)));
  } else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
             code == CURLE_SSL_ISSUER_ERROR) {
    Fail(IoError("the server's certificate is not trusted: {}", job.transfer->ErrorText(code))
             .Advise("name your authority's certificates with ANEMONE_CA_BUNDLE=FILE.pem; "
                     "verification cannot be switched off"));
  } else if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
             code == CURLE_COULDNT_CONNECT) {
    Failed(job.transfer->ErrorText(code));
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    Failed(fmt::format("the server stalls: less than {} bytes per second for {} s",
                       options_.min_bytes_per_second, options_.stall_seconds));
  } else if (IsTransientStatus(status)) {
    const auto pause = RetryAfterMs(response.retry_after, NowUnix());
    Failed(
        fmt::format("the server answers {}{}", status, status == 429 ? " (too many requests)" : ""),
        pause.value_or(-1));
  } else if (status == 416) {
    const auto total = partial_.segments().total();
    if (restarted_ || Received() == 0) {
      Fail(IoError("the server answers 416 (range not satisfiable) to a request for the {}",
                   job.ranged ? "rest of the file" : "whole file"));
    } else if (!total && response.range_total == Received()) {
      CheckTotal(*response.range_total);  // it was complete already
    } else {
      restarted_ = true;
      BeginAnew();
    }
  } else if (status >= 400) {
    const bool hidden = status == 401 || status == 403;
    Fail(IoError("the server answers {}", status)
             .Advise(hidden ? "the file may need a login or the acceptance of a license: fetch it "
                              "in a browser and name it with --weights FILE"
                            : "check the address"));
  } else if (status != 0 && status != 200 && status != 206) {
    Fail(IoError("the server answers {}, but 200 is expected", status));
  } else if (code == CURLE_PARTIAL_FILE || (code == CURLE_OK && segment != nullptr &&
                                            segment->end >= 0 && !segment->complete())) {
    Failed(fmt::format("the server sent {} of {} bytes and closed",
                       segment != nullptr ? segment->position : 0,
                       partial_.segments().total().value_or(-1)));
  } else if (code == CURLE_OK && status != 0) {
    if (segment != nullptr && segment->end < 0) CheckTotal(segment->position);
  } else if (limit_ == 0) {
    Failed(last_failure_);
  } else {
    Failed(job.transfer->ErrorText(code));
  }
}

void Downloader::Reap() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CURL* handle = message->easy_handle;
    curl_multi_remove_handle(multi_.get(), handle);
    const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& job) {
      return job->transfer->handle() == handle;
    });
    if (found == jobs_.end()) continue;
    const std::unique_ptr<Job> job = std::move(*found);
    jobs_.erase(found);
    Ended(*job, code);
  }
}

void Downloader::StartMore() {
  const auto now = Clock::now();
  if (now < pause_until_) return;
  Segments& segments = partial_.segments();
  limit_ = std::max(limit_, 1);
  while (error_.ok() && static_cast<int>(jobs_.size()) < limit_) {
    if (const auto idle = segments.NextIdle()) {
      Start(*idle);
    } else if (const auto half = segments.Split(kSmallestPart)) {
      Start(*half);
    } else {
      return;
    }
  }
  // Adds one connection at a time, as long as it should save more time than it costs.
  if (!resumable_ || limit_ >= options_.connections || failures_in_row_ > 0) return;
  if (first_byte_ == Clock::time_point{} || now - first_byte_ < kWarmUp) return;
  if (static_cast<int>(jobs_.size()) < limit_ || !segments.total()) return;
  const double elapsed = std::chrono::duration<double>(now - first_byte_).count();
  const double rate = static_cast<double>(result_.transferred_bytes) / elapsed;
  const auto rest = static_cast<double>(*segments.total() - Received());
  if (rest > rate * kWorthSplittingSeconds) ++limit_;
}

Status Downloader::Report(bool force) {
  const auto now = Clock::now();
  if (now - saved_ >= kSaveEvery && Received() > 0 && !partial_.segments().complete()) {
    saved_ = now;
    ANEMONE_TRY(writer_.Flush());  // the record must not include bytes that are not written yet
    ANEMONE_TRY(partial_.Save(false));
  }
  if (!options_.progress || (!force && now - reported_ < kReportEvery)) return {};
  reported_ = now;
  history_.emplace_back(now, result_.transferred_bytes);
  while (history_.size() > 2 && now - history_.front().first > kRateWindow) history_.pop_front();
  DownloadProgress progress;
  progress.done_bytes = Received();
  progress.total_bytes = partial_.segments().total();
  progress.connections = static_cast<int>(jobs_.size());
  const double seconds = std::chrono::duration<double>(now - history_.front().first).count();
  if (seconds > 0) {
    progress.bytes_per_second =
        static_cast<double>(history_.back().second - history_.front().second) / seconds;
  }
  if (progress.total_bytes && progress.bytes_per_second > 0) {
    progress.seconds_left = static_cast<double>(*progress.total_bytes - progress.done_bytes) /
                            progress.bytes_per_second;
  }
  if (jobs_.empty() && now < pause_until_) {
    progress.note = fmt::format("{}; next attempt in {:.0f} s", last_failure_,
                                std::chrono::duration<double>(pause_until_ - now).count());
  }
  if (!options_.progress(progress)) return Cancelled("interrupted");
  return {};
}

Result<DownloadResult> Downloader::Complete() {
  result_.size_bytes = Received();
  ANEMONE_ASSIGN(const Sha256Digest digest, hasher_.Finish(result_.size_bytes));
  result_.sha256 = ToHex(digest);
  result_.path = partial_.path();
  result_.etag = partial_.identity().etag;
  result_.last_modified = partial_.identity().last_modified;
  if (!request_.sha256.empty() && !result_.sha256.starts_with(request_.sha256)) {
    fatal_ = true;
    return InvalidInput("the content has the SHA-256 {}, but {}{} is expected", result_.sha256,
                        request_.sha256, request_.sha256.size() < 64 ? "..." : "")
        .Advise("the file was damaged or replaced in transit; none of it was kept");
  }
  return result_;
}

Result<DownloadResult> Downloader::Run() {
  if (multi_ == nullptr)
    return Unavailable("libcurl is not installed").Advise("install it (Debian: libcurl4)");
  result_.resumed_bytes = Received();
  most_received_ = Received();
  resumable_ = Received() > 0;
  hasher_.Advance(partial_.segments().contiguous_bytes());
  while (error_.ok() && !partial_.segments().complete()) {
    StartMore();
    int running = 0;
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) {
      Fail(Internal("libcurl stopped"));
    }
    Reap();
    if (const Status status = Report(false); !status.ok()) error_ = status;
    if (error_.ok() && !partial_.segments().complete()) {
      curl_multi_poll(multi_.get(), nullptr, 0, jobs_.empty() ? 50 : 100, nullptr);
    }
  }
  for (const auto& job : jobs_) curl_multi_remove_handle(multi_.get(), job->transfer->handle());
  if (!jobs_.empty()) result_.fetched_from = WithoutQuery(jobs_[0]->transfer->effective_url());
  jobs_.clear();
  if (const Status status = writer_.Flush(); !status.ok()) {
    Fail(Error(status.error()));
    fatal_ = true;  // whatever came before, the record is ahead of the file
  }
  if (!error_.ok()) return error_.error();
  static_cast<void>(Report(true));
  return Complete();
}

}  // namespace

NetworkOptions NetworkOptions::FromEnvironment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  NetworkOptions options;
  const std::string offline = variable("ANEMONE_OFFLINE");
  options.offline = !offline.empty() && offline != "0";
  options.mirror = variable("ANEMONE_MIRROR");
  for (const char* name : {"ANEMONE_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (options.ca_file.empty()) options.ca_file = variable(name);
  }
  return options;
}

Result<DownloadResult> Download(const DownloadRequest& request, const NetworkOptions& options) {
  StartCurl();
  ANEMONE_ASSIGN(const Url url, ParseUrl(request.url));
  std::string asked = url.text;
  if (!options.mirror.empty()) {
    ANEMONE_ASSIGN(asked, AtMirror(options.mirror, url));
  }
  if (options.offline) {
    return NotFound("'{}' is not in the cache, and nothing is fetched offline", url.text)
        .Advise("fetch it once without --offline (ANEMONE_OFFLINE)");
  }
  for (int attempt = 0;; ++attempt) {
    ANEMONE_ASSIGN(PartialFile partial, PartialFile::Open(request.folder, asked));
    Downloader downloader(request, options, partial, asked);
    auto result = downloader.Run();
    if (result.ok()) {
      partial.Finish();
      return result;
    }
    if (downloader.resumable() && partial.segments().done_bytes() > 0) {
      // An orderly end: the bytes received survive even a crash of the machine.
      static_cast<void>(partial.Save(true));
      return std::move(result).At(asked);
    }
    // The bytes of an earlier run may be at fault: try once more without them.
    const bool stale = attempt == 0 && downloader.resumed();
    partial.Discard();
    if (!stale) return std::move(result).At(asked);
  }
}

}  // namespace anemone::acquire
