// One HTTP request on libcurl: the request, the header of the answer, and the sink for its body.
// Knows HTTP and nothing of files, retries or caches. Ownership: owns its handle; borrows the sink,
// which must outlive it. Thread rules: one thread, that of the multi handle.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace anemone::acquire {

struct TransferSettings {
  std::string url;
  std::string ca_file;     // empty: the system's
  int64_t first_byte = 0;  // > 0, or last_byte set: request a range
  std::optional<int64_t> last_byte;
  std::string if_range;  // a strong validator: send the range only if it still matches
  int64_t connect_timeout_ms = 15'000;
  int64_t stall_seconds = 30;  // slower than min_bytes_per_second for this long: give up
  int64_t min_bytes_per_second = 1024;
};

// The last answer's header (those of redirects before it are forgotten).
struct Response {
  long status = 0;
  std::string content_type;      // lower case, without parameters
  std::string content_encoding;  // lower case
  std::optional<int64_t> content_length;
  std::string bad_length;  // a Content-Length that is not a number, or is too large
  // From "Content-Range: bytes FIRST-LAST/TOTAL" or "bytes */TOTAL".
  std::optional<int64_t> range_first;
  std::optional<int64_t> range_last;
  std::optional<int64_t> range_total;
  bool accepts_ranges = false;
  std::string etag;  // as sent, weak ones included
  std::string last_modified;
  std::string retry_after;
  std::string location;  // the last redirect's target

  // The validator for If-Range: a strong ETag, or a Last-Modified; empty when there is none.
  std::string validator() const;
};

class Transfer {
 public:
  // Called with the first piece of the body (never for an empty body); false stops the transfer.
  using Accept = std::function<bool(const Response&)>;
  using Sink = std::function<bool(std::span<const std::byte>)>;

  Transfer(const TransferSettings& settings, Accept accept, Sink sink);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* handle() const { return handle_; }
  const Response& response() const { return response_; }
  // True when accept or sink stopped it.
  bool stopped() const { return stopped_; }
  // The URL after redirects.
  std::string effective_url() const;
  // libcurl's words for `code`.
  std::string ErrorText(CURLcode code) const;

 private:
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  void Header(std::string_view line);

  CURL* handle_;
  curl_slist* headers_ = nullptr;
  Accept accept_;
  Sink sink_;
  Response response_;
  bool accepted_ = false;
  bool stopped_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

// Starts libcurl once; before the first Transfer.
void StartCurl();

}  // namespace anemone::acquire
