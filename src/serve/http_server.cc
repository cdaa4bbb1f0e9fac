#include "serve/http_server.h"

#ifdef ANEMONE_HAVE_HTTPLIB
#include <fcntl.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "serve/connection.h"
#include "serve/problem.h"
#endif

namespace anemone::serve {

#ifdef ANEMONE_HAVE_HTTPLIB
namespace {

// What the connection of this thread is; null between two.
thread_local Connection* current = nullptr;
// Set while the thread that accepts runs the task of a connection for which there is no place.
thread_local bool no_place = false;

// A thread for each connection, as many as the limit. One more is run at once on the thread that
// accepts, which turns it away.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(int limit) : limit_(limit) {}

  void enqueue(std::function<void()> serve) override {
    {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->active < limit_) {
        try {
          std::thread([shared = shared_, serve] {
            serve();
            const std::lock_guard done(shared->mutex);
            --shared->active;
            shared->changed.notify_all();
          }).detach();
          ++shared_->active;
          return;
        } catch (const std::system_error&) {
          // No more threads: no place either.
        }
      }
    }
    no_place = true;
    serve();
    no_place = false;
  }

  void shutdown() override {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [&] { return shared_->active == 0; });
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    int active = 0;
  };
  const int limit_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

struct Address {
  std::string host;
  int port = 0;
};

Result<Address> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  Address address;
  const char* const end = text.data() + text.size();
  const char* const digits = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [rest, error] = std::from_chars(digits, end, address.port);
  if (colon == 0 || digits == end || error != std::errc() || rest != end || address.port < 0 ||
      address.port > 65535) {
    return Usage("'{}' is not an address to listen on", text)
        .Advise("write HOST:PORT, for example 127.0.0.1:8000; port 0 finds a free one");
  }
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  return address;
}

void Fill(httplib::Response& to, const HttpResponse& from) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  to.set_content(from.body, from.content_type);
}

// Says so, and does so.
void CloseAfter(httplib::Response& response) {
  response.set_header("Connection", "close");
  if (current != nullptr) current->CloseAfterThis();
}

std::string LowerCase(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

class Server final : public httplib::Server {
 public:
  Server(const HttpLimits& limits, HttpHandler handler)
      : limits_(limits), handler_(std::move(handler)) {
    // The library's own default lets a second server share the port in silence.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    });
    set_tcp_nodelay(true);
    set_payload_max_length(limits_.body_bytes);
    new_task_queue = [this] { return new ConnectionThreads(limits_.connections); };
    const auto without_body = [this](const httplib::Request& from, httplib::Response& to) {
      Answer(from, {}, to);
    };
    const auto with_body = [this](const httplib::Request& from, httplib::Response& to,
                                  const httplib::ContentReader& read) { Take(from, to, read); };
    Get(".*", without_body);
    Options(".*", without_body);
    Post(".*", with_body);
    Put(".*", with_body);
    Patch(".*", with_body);
    Delete(".*", with_body);
    // What the library itself refuses: after that nobody knows where the next request begins.
    set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return HandlerResponse::Unhandled;
      const auto refusal = current == nullptr ? std::nullopt : current->Refusal();
      Fill(response, refusal ? *refusal
                             : ProblemResponse(response.status,
                                               Usage("this is no request that HTTP/1.1 allows")));
      CloseAfter(response);
      return HandlerResponse::Handled;
    }));
    set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
          Fill(response, ProblemResponse(Internal("the request could not be handled")));
          CloseAfter(response);
        });
  }

  void StopReading() { stopping_.store(true, std::memory_order_release); }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

 private:
  // Reads the body, and gives it to the handler.
  void Take(const httplib::Request& from, httplib::Response& to,
            const httplib::ContentReader& read) {
    if (from.is_multipart_form_data()) {
      CloseAfter(to);
      return Fill(to, ProblemResponse(415, Usage("forms are not read")
                                               .Advise("send the JSON, the array or the image "
                                                       "itself as the body")));
    }
    std::string body;
    bool too_large = false;
    const bool complete = read([&](const char* data, size_t size) {
      too_large = size > limits_.body_bytes - body.size();
      if (!too_large) body.append(data, size);
      return !too_large;
    });
    if (complete) return Answer(from, std::move(body), to);
    CloseAfter(to);
    if (too_large || to.status == 413) {
      return Fill(to,
                  ProblemResponse(413, Usage("the body is larger than {} bytes", limits_.body_bytes)
                                           .Advise("the server's option --max-body is the "
                                                   "limit")));
    }
    if (const auto refusal = current->Refusal()) return Fill(to, *refusal);
    Fill(to, ProblemResponse(400, InvalidInput("the body ends early, or its encoding is broken")));
  }

  void Answer(const httplib::Request& from, std::string body, httplib::Response& to) const {
    HttpRequest request{.method = from.method == "HEAD" ? "GET" : from.method, .path = from.path};
    for (const auto& [name, value] : from.params) request.query.emplace(name, value);
    for (const auto& [name, value] : from.headers) request.headers.emplace(LowerCase(name), value);
    request.body = std::move(body);
    request.deadline_ns = NowNs() + limits_.timeout_ns;
    const HttpResponse response = handler_(request);
    current->BeginAnswer();
    Fill(to, response);
  }

  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, limits_, stopping_);
    if (no_place) {  // on the thread that accepts, which must not wait
      connection.TurnAway(
          ProblemResponse(503, Unavailable("all {} connections are taken", limits_.connections)));
      return true;
    }
    current = &connection;
    while (connection.AwaitRequest()) {
      bool closed = false;
      const bool served =
          process_request(connection, stopping(), closed,
                          [&](httplib::Request& request) { Prepare(connection, request); });
      if (!served) connection.TellWhy();
      if (!served || closed || stopping() || connection.closes()) break;
    }
    current = nullptr;
    return true;
  }

  // Before a request is routed.
  void Prepare(Connection& connection, httplib::Request& request) const {
    // Parts of an answer are of no use to anyone, and many small parts are an attack.
    request.ranges.clear();
    request.headers.erase("Range");
    // The library would read all of it to throw it away.
    if (request.get_header_value<uint64_t>("Content-Length") > limits_.body_bytes)
      connection.StopReading();
    // The library leaves such a body where the next request would be.
    const bool takes_body =
        request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
    if (!takes_body &&
        (request.has_header("Content-Length") || request.has_header("Transfer-Encoding"))) {
      connection.CloseAfterThis();
      request.set_header("Connection", "close");
    }
  }

  const HttpLimits limits_;
  const HttpHandler handler_;
  std::atomic<bool> stopping_{false};
};

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpLimits& limits, HttpHandler handler) : server(limits, std::move(handler)) {}
  ~Impl() { Stop(); }

  // 0 when the address cannot be bound.
  int Bind(const Address& to) {
    if (to.port == 0) {
      const int found = server.bind_to_any_port(to.host);
      return found > 0 ? found : 0;
    }
    return server.bind_to_port(to.host, to.port) ? to.port : 0;
  }

  void Start(Address at) {
    address = std::move(at);
    accepting = std::thread([this] {
      // The library ends when a connection that nobody waits for any more cannot be accepted.
      while (!server.listen_after_bind() && !server.stopping()) {
        while (Bind(address) == 0 && !server.stopping())
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    });
    while (!server.is_running() && !server.stopping())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  void Stop() {
    server.StopReading();
    if (!accepting.joinable()) return;
    server.stop();
    accepting.join();
  }

  Server server;
  Address address;
  std::thread accepting;
};

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& address,
                                                       const HttpLimits& limits,
                                                       HttpHandler handler) {
  ANEMONE_ASSIGN(Address parsed, ParseAddress(address));
  auto impl = std::make_unique<Impl>(limits, std::move(handler));
  errno = 0;
  const int port = impl->Bind(parsed);
  if (port == 0) {
    const std::string why = errno == 0 ? "no such host" : std::generic_category().message(errno);
    return IoError("cannot listen at {}: {}", address, why)
        .Advise("the port may be taken; port 0 finds a free one");
  }
  parsed.port = port;
  const std::string host =
      parsed.host.find(':') == std::string::npos ? parsed.host : "[" + parsed.host + "]";
  impl->Start(std::move(parsed));
  return std::unique_ptr<HttpServer>(
      new HttpServer(std::move(impl), fmt::format("http://{}:{}", host, port)));
}

void HttpServer::Stop() { impl_->Stop(); }

#else

struct HttpServer::Impl {};

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& /*address*/,
                                                       const HttpLimits& /*limits*/,
                                                       HttpHandler /*handler*/) {
  return Unavailable("this build has no HTTP server")
      .Advise("install cpp-httplib (Debian: libcpp-httplib-dev) and build again");
}

void HttpServer::Stop() {}

#endif

HttpServer::HttpServer(std::unique_ptr<Impl> impl, std::string url)
    : impl_(std::move(impl)), url_(std::move(url)) {}
HttpServer::~HttpServer() = default;

}  // namespace anemone::serve
