#include "acquire/transfer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <mutex>

#include "base/status.h"

namespace anemone::acquire {
namespace {

// Larger than libcurl's own 16 KiB: fewer system calls per megabyte, and four connections with it
// are still small.
constexpr long kBufferBytes = 512 << 10;
constexpr long kMaxRedirects = 10;
// An endless header must not fill memory: libcurl caps a line at 100 KiB, this caps the number.
constexpr size_t kMaxFieldBytes = 4096;

std::string_view Trim(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::optional<int64_t> Number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "bytes 0-99/1000", "bytes 0-99/*" or "bytes */1000".
void ReadContentRange(std::string_view value, Response* response) {
  constexpr std::string_view kUnit = "bytes ";
  if (!Lower(value).starts_with(kUnit)) return;
  value.remove_prefix(kUnit.size());
  const size_t slash = value.find('/');
  if (slash == std::string_view::npos) return;
  response->range_total = Number(Trim(value.substr(slash + 1)));
  const std::string_view range = value.substr(0, slash);
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return;
  response->range_first = Number(Trim(range.substr(0, dash)));
  response->range_last = Number(Trim(range.substr(dash + 1)));
}

}  // namespace

void StartCurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string Response::validator() const {
  if (!etag.empty() && !etag.starts_with("W/")) return etag;
  return last_modified;
}

Transfer::Transfer(const TransferSettings& settings, Accept accept, Sink sink)
    : handle_(curl_easy_init()), accept_(std::move(accept)), sink_(std::move(sink)) {
  if (handle_ == nullptr) return;  // the caller looks at handle()
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(handle_, option, value);
  };
  const bool secure = settings.url.starts_with("https:");
  set(CURLOPT_URL, settings.url.c_str());
  set(CURLOPT_USERAGENT, "anemone/" ANEMONE_VERSION);
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  // A redirect must not reach files of this machine, and never leaves TLS for plain HTTP.
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) set(CURLOPT_CAINFO, settings.ca_file.c_str());
  // One answer at a time per connection, so that parallel ranges use several connections.
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout_ms));
  set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(settings.min_bytes_per_second));
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings.stall_seconds));
  set(CURLOPT_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  if (settings.first_byte > 0 || settings.last_byte) {
    const std::string range = settings.last_byte
                                  ? fmt::format("{}-{}", settings.first_byte, *settings.last_byte)
                                  : fmt::format("{}-", settings.first_byte);
    set(CURLOPT_RANGE, range.c_str());
    if (!settings.if_range.empty()) {
      headers_ = curl_slist_append(headers_, ("If-Range: " + settings.if_range).c_str());
    }
  }
  headers_ = curl_slist_append(headers_, "Accept-Encoding: identity");
  set(CURLOPT_HTTPHEADER, headers_);
}

Transfer::~Transfer() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

size_t Transfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  static_cast<Transfer*>(self)->Header(Trim({data, size * count}));
  return size * count;
}

void Transfer::Header(std::string_view line) {
  if (line.starts_with("HTTP/")) {  // a new answer: after a redirect, or after "100 Continue"
    const std::string location = response_.location;
    response_ = {};
    response_.location = location;
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = Lower(line.substr(0, colon));
  const std::string_view value = Trim(line.substr(colon + 1)).substr(0, kMaxFieldBytes);
  if (name == "content-type") {
    response_.content_type = Lower(Trim(value.substr(0, value.find(';'))));
  } else if (name == "content-encoding") {
    response_.content_encoding = Lower(value);
  } else if (name == "content-length") {
    response_.content_length = Number(value);
    if (!response_.content_length) response_.bad_length = value;
  } else if (name == "content-range") {
    ReadContentRange(value, &response_);
  } else if (name == "accept-ranges") {
    response_.accepts_ranges = Lower(value) == "bytes";
  } else if (name == "etag") {
    response_.etag = value;
  } else if (name == "last-modified") {
    response_.last_modified = value;
  } else if (name == "retry-after") {
    response_.retry_after = value;
  } else if (name == "location") {
    response_.location = value;
  }
}

size_t Transfer::OnBody(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const size_t bytes = size * count;
  if (!transfer.accepted_) {
    curl_easy_getinfo(transfer.handle_, CURLINFO_RESPONSE_CODE, &transfer.response_.status);
    transfer.accepted_ = true;
    if (!transfer.accept_(transfer.response_)) {
      transfer.stopped_ = true;
      return 0;
    }
  }
  if (!transfer.sink_(std::as_bytes(std::span(data, bytes)))) {
    transfer.stopped_ = true;
    return 0;
  }
  return bytes;
}

std::string Transfer::effective_url() const {
  const char* url = nullptr;
  curl_easy_getinfo(handle_, CURLINFO_EFFECTIVE_URL, &url);
  return url != nullptr ? url : "";
}

std::string Transfer::ErrorText(CURLcode code) const {
  return error_[0] != '\0' ? std::string(error_) : std::string(curl_easy_strerror(code));
}

}  // namespace anemone::acquire
