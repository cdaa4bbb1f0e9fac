// Connection: a client's socket as cpp-httplib's Stream, with a deadline for each request as a whole
// and limits for the bytes of its headers and its body. Only http_server.cc includes this.
//
// Ownership: closes the socket. Thread rules: one thread. Errors: a read or write that fails, is
// late, or is beyond a limit ends the connection; TellWhy says so to the client where it still can.
#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "serve/http.h"
#include "serve/http_server.h"

namespace anemone::serve {

class Connection final : public httplib::Stream {
 public:
  Connection(socket_t socket, const HttpLimits& limits, const std::atomic<bool>& stopping);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits for the first byte of a request, whose time begins then. False when none comes, or when
  // the server stops.
  bool AwaitRequest();
  // Sends an answer without having read anything, as far as it can be sent at once.
  void TurnAway(const HttpResponse& response);
  // Why a request was not read to its end, when that is our limit.
  std::optional<HttpResponse> Refusal() const;
  // Sends that, unless an answer has begun.
  void TellWhy();
  // Nothing more of this request is read: its body is announced too large.
  void StopReading() { reading_ = false; }

  // The answer is ready: from now on the client has the timeout to take it.
  void BeginAnswer();
  void CloseAfterThis() { closes_ = true; }
  bool closes() const { return closes_; }

  // --- httplib::Stream
  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  // Waits until the socket can be read (POLLIN) or written, to the deadline. While reading, a server
  // that stops waits no longer than kGraceNs.
  bool Wait(short events);
  bool Fill();
  // Whether one more byte is within the limits; follows where the headers end.
  bool Count(char byte);

  const socket_t socket_;
  const HttpLimits limits_;
  const std::atomic<bool>& stopping_;
  int64_t deadline_ns_ = 0;
  bool answering_ = false;  // the first byte of an answer has been written
  bool closes_ = false;
  bool reading_ = true;
  bool late_ = false;
  bool headers_too_large_ = false;

  std::array<char, 16384> buffer_;
  size_t next_ = 0;
  size_t filled_ = 0;

  bool in_headers_ = true;
  size_t line_length_ = 0;  // of the header line so far
  size_t header_bytes_ = 0;
  size_t body_bytes_ = 0;
};

}  // namespace anemone::serve
