// Downloads one URL into one file: several ranges at once where the server allows it and it pays,
// resumed after a kill, retried with back-off, hashed while it arrives, with memory independent of
// the size. The data at FOLDER/data is not to be used until Download returns OK.
//
// Files: FOLDER/data (the bytes) and FOLDER/state.json (which ranges are present, and of which
// version of the file). Both stay after an interruption that can be resumed, and are removed after
// any other failure. Thread rules: one Download per folder at a time (the caller locks); it uses
// the calling thread and one for hashing. Errors: kIo for failures of the network and the server,
// kInvalidInput for content other than requested, kTimeout, kCancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/status.h"

namespace anemone::acquire {

struct DownloadProgress {
  int64_t done_bytes = 0;
  std::optional<int64_t> total_bytes;
  double bytes_per_second = 0;  // over the last seconds
  std::optional<double> seconds_left;
  int connections = 0;
  std::string note;  // why it is waiting, if it is
};

struct NetworkOptions {
  bool offline = false;  // open no connection
  std::string mirror;    // used instead of every server: MIRROR/host/path
  std::string ca_file;   // a PEM bundle instead of the system's
  int connections = 4;
  int retries = 5;  // consecutive failures without progress before giving up
  int64_t connect_timeout_ms = 15'000;
  int64_t stall_seconds = 30;
  int64_t min_bytes_per_second = 1024;
  int64_t max_wait_seconds = 120;  // the longest Retry-After to wait for
  int64_t max_bytes = int64_t{64} << 30;
  // A body of unannounced length may be endless.
  int64_t max_bytes_unannounced = int64_t{2} << 30;
  // Called about five times a second; false stops.
  std::function<bool(const DownloadProgress&)> progress;

  // ANEMONE_OFFLINE, ANEMONE_MIRROR, and ANEMONE_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE.
  // Proxies: libcurl reads https_proxy, http_proxy, all_proxy and no_proxy itself.
  static NetworkOptions FromEnvironment();
};

struct DownloadRequest {
  std::string url;                    // as given; the mirror is applied here
  std::string folder;                 // for data and state.json; made when absent
  std::optional<int64_t> size_bytes;  // checked when known
  std::string sha256;                 // lower-case hex, or a prefix of it; checked when known
  bool html_expected = false;
};

struct DownloadResult {
  std::string path;  // FOLDER/data
  int64_t size_bytes = 0;
  std::string sha256;
  std::string fetched_from;  // after mirror and redirects, without a query
  std::string etag;
  std::string last_modified;
  int64_t resumed_bytes = 0;  // present from an earlier run
  int64_t transferred_bytes = 0;
  int connections_used = 0;  // the most at any time
  int failures = 0;          // transfers that were retried
};

Result<DownloadResult> Download(const DownloadRequest& request, const NetworkOptions& options);

}  // namespace anemone::acquire
