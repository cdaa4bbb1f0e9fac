#ifdef ANEMONE_HAVE_HTTPLIB
#include "serve/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "serve/problem.h"

namespace anemone::serve {
namespace {

constexpr int64_t kIdleNs = 5'000'000'000;    // between two requests of a connection
constexpr int64_t kGraceNs = 1'000'000'000;   // for the rest of a request when the server stops
constexpr int64_t kLingerNs = 2'000'000'000;  // for a client to take the last answer
constexpr int64_t kSliceNs = 50'000'000;      // how soon a stop is noticed

// Of the answers that are sent here, without the library.
std::string_view ReasonOf(int status) {
  switch (status) {
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

std::string TextOf(const HttpResponse& response) {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                  ReasonOf(response.status), response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
  return text + "Connection: close\r\n\r\n" + response.body;
}

}  // namespace

Connection::Connection(socket_t socket, const HttpLimits& limits, const std::atomic<bool>& stopping)
    : socket_(socket), limits_(limits), stopping_(stopping) {}

Connection::~Connection() {
  ::shutdown(socket_, SHUT_WR);
  // A socket that is closed with bytes unread is reset, and the client may lose the answer. So what
  // still comes is taken, for a moment and no longer.
  const int64_t until = NowNs() + (closes_ && !late_ ? kLingerNs : 0);
  while (true) {
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    const int64_t left = until - NowNs();
    if (got == 0 || left <= 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
    pollfd waited{socket_, POLLIN, 0};
    if (got < 0) (void)::poll(&waited, 1, static_cast<int>(left / 1'000'000) + 1);
  }
  ::close(socket_);
}

bool Connection::Wait(short events) {
  while (true) {
    const int64_t now = NowNs();
    if (events == POLLIN && stopping_.load(std::memory_order_acquire))
      deadline_ns_ = std::min(deadline_ns_, now + kGraceNs);
    if (now >= deadline_ns_) {
      late_ = true;
      return false;
    }
    pollfd waited{socket_, events, 0};
    const int64_t slice = std::min(deadline_ns_ - now, kSliceNs);
    const int ready = ::poll(&waited, 1, static_cast<int>(slice / 1'000'000) + 1);
    if (ready > 0) return (waited.revents & (events | POLLHUP)) != 0;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool Connection::AwaitRequest() {
  in_headers_ = true;
  line_length_ = header_bytes_ = body_bytes_ = 0;
  answering_ = late_ = headers_too_large_ = false;
  reading_ = true;
  if (next_ == filled_) {
    const int64_t until = NowNs() + kIdleNs;
    while (true) {
      if (stopping_.load(std::memory_order_acquire) || NowNs() >= until) return false;
      pollfd waited{socket_, POLLIN, 0};
      const int ready = ::poll(&waited, 1, static_cast<int>(kSliceNs / 1'000'000));
      if (ready < 0 && errno != EINTR) return false;
      if (ready > 0) break;
    }
  }
  deadline_ns_ = NowNs() + limits_.timeout_ns;
  return next_ != filled_ || Fill();
}

bool Connection::Fill() {
  while (Wait(POLLIN)) {
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got > 0) {
      next_ = 0;
      filled_ = static_cast<size_t>(got);
      return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) return false;
  }
  return false;
}

bool Connection::Count(char byte) {
  if (!in_headers_) {
    // Chunks have a line each, which may be longer than what it announces.
    return ++body_bytes_ <= 2 * limits_.body_bytes + kMaxHeaderBytes;
  }
  if (++header_bytes_ > kMaxHeaderBytes) {
    headers_too_large_ = true;
    return false;
  }
  if (byte != '\n') {
    if (byte != '\r') ++line_length_;
    return true;
  }
  if (line_length_ == 0) in_headers_ = false;
  line_length_ = 0;
  return true;
}

ssize_t Connection::read(char* to, size_t size) {
  if (size == 0) return 0;
  if (!reading_ || (next_ == filled_ && !Fill())) return -1;
  const size_t taken = std::min(size, filled_ - next_);
  if (in_headers_) {
    for (size_t i = 0; i < taken; ++i) {
      if (!Count(buffer_[next_ + i])) return -1;
    }
  } else {
    body_bytes_ += taken;
    if (body_bytes_ > 2 * limits_.body_bytes + kMaxHeaderBytes) return -1;
  }
  std::memcpy(to, buffer_.data() + next_, taken);
  next_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t Connection::write(const char* from, size_t size) {
  if (!answering_) BeginAnswer();
  size_t sent = 0;
  while (sent < size) {
    const ssize_t wrote = ::send(socket_, from + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote >= 0) {
      sent += static_cast<size_t>(wrote);
    } else if (errno == EAGAIN) {
      if (!Wait(POLLOUT)) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return static_cast<ssize_t>(sent);
}

void Connection::BeginAnswer() {
  answering_ = true;
  deadline_ns_ = NowNs() + limits_.timeout_ns;
}

bool Connection::is_readable() const { return true; }
bool Connection::is_writable() const { return true; }

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::TurnAway(const HttpResponse& response) {
  const std::string text = TextOf(response);
  (void)!::send(socket_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::optional<HttpResponse> Connection::Refusal() const {
  if (headers_too_large_)
    return ProblemResponse(431, Usage("the headers are larger than {} bytes", kMaxHeaderBytes));
  if (!late_ || header_bytes_ == 0) return std::nullopt;
  return ProblemResponse(
      408, Error(ErrorCode::kTimeout, fmt::format("the request did not arrive within {} s",
                                                  static_cast<double>(limits_.timeout_ns) * 1e-9)));
}

void Connection::TellWhy() {
  const auto refusal = Refusal();
  if (refusal && !answering_) TurnAway(*refusal);
}

}  // namespace anemone::serve
#endif
