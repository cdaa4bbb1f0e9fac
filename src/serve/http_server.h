// HttpServer: HTTP/1.1 on one address, with a limit for everything that a client chooses: bytes of
// headers and body (after decompression too), connections at once, and the time that a request may
// take to arrive and an answer to be taken. (cpp-httplib parses and writes; it knows neither a
// deadline for a whole request nor a limit of all headers, so the connection here has them.)
//
// A thread serves a connection. One connection too many is answered 503 at once, so that slow
// clients cost others nothing but their places, and those no longer than the timeout.
//
// Ownership: holds the handler. Thread rules: Stop() from any thread, once; the handler is called on
// the connections' threads. Errors: kUsage for an address that is none, kIo when it cannot be bound,
// kUnavailable where cpp-httplib was absent, or another than we know, when this was built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "serve/http.h"

namespace anemone::serve {

struct HttpLimits {
  size_t body_bytes = 64 << 20;  // of one; kBodiesAtOnce times that of all that are in memory
  int connections = 64;
  int64_t timeout_ns = 30'000'000'000;
};

inline constexpr size_t kBodiesAtOnce = 8;
// All header lines of a request together.
inline constexpr size_t kMaxHeaderBytes = 64 << 10;

class HttpServer {
 public:
  // Listens at "127.0.0.1:8000", "[::1]:8000" or, with ":0", at a free port.
  static Result<std::unique_ptr<HttpServer>> Listen(const std::string& address,
                                                    const HttpLimits& limits, HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  // "http://127.0.0.1:8000".
  const std::string& url() const { return url_; }
  // Takes no more connections, lets the requests that have arrived be answered, and returns then.
  void Stop();

 private:
  struct Impl;
  HttpServer(std::unique_ptr<Impl> impl, std::string url);
  std::unique_ptr<Impl> impl_;
  std::string url_;
};

}  // namespace anemone::serve
