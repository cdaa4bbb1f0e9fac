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
#include <string>
#include <string_view>
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
// Whether the connection is closed without a word.
thread_local bool drops = false;
// Whether there is no place for the connection of this thread, which is told so and closed.
thread_local bool no_place = false;

// A thread for each connection, as many as the limit. Some more turn connections away, which takes a
// moment, as a client that has not sent its request yet would otherwise lose the answer. What is
// beyond those is closed at once, by the thread that accepts.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(int limit) : limit_(limit) {}

  void enqueue(std::function<void()> serve) override {
    const std::lock_guard lock(shared_->mutex);
    const bool place = shared_->active < limit_;
    if (!place && shared_->turned_away >= kTurnedAwayAtOnce) return Drop(serve);
    int State::* const counter = place ? &State::active : &State::turned_away;
    try {
      std::thread([shared = shared_, serve, counter, place] {
        no_place = !place;
        serve();
        const std::lock_guard done(shared->mutex);
        --((*shared).*counter);
        shared->changed.notify_all();
      }).detach();
    } catch (const std::system_error&) {  // the system has no more threads
      return Drop(serve);
    }
    ++((*shared_).*counter);
  }

  void shutdown() override {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [&] { return shared_->active + shared_->turned_away == 0; });
  }

 private:
  static constexpr int kTurnedAwayAtOnce = 32;
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int active = 0;
    int turned_away = 0;
  };

  // On the thread that accepts.
  static void Drop(const std::function<void()>& serve) {
    drops = true;
    serve();
    drops = false;
  }

  const int limit_;
  std::shared_ptr<State> shared_ = std::make_shared<State>();
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

// A body while it arrives and is answered, counted among those of all connections.
class HeldBody {
 public:
  explicit HeldBody(std::atomic<size_t>& held) : held_(held) {}
  ~HeldBody() { held_.fetch_sub(counted_); }
  HeldBody(const HeldBody&) = delete;
  HeldBody& operator=(const HeldBody&) = delete;

  // False when all together would be more than `limit`.
  bool Append(std::string_view more, size_t limit) {
    counted_ += more.size();
    if (held_.fetch_add(more.size()) + more.size() > limit) return false;
    text_ += more;
    return true;
  }
  // Room for what is announced, so that a body is not copied as it grows. (What a client announces and
  // does not send takes no memory: its pages are never touched.)
  void Reserve(size_t announced) { text_.reserve(announced); }
  const std::string& text() const { return text_; }
  // It stays counted as long as this lives.
  std::string Take() { return std::move(text_); }

 private:
  std::atomic<size_t>& held_;
  size_t counted_ = 0;
  std::string text_;
};

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

  // The library's own queue of connections that wait to be accepted holds five.
  void LengthenQueue() { (void)::listen(svr_sock_, SOMAXCONN); }
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
    HeldBody body(held_bytes_);
    body.Reserve(static_cast<size_t>(
        std::min<uint64_t>(from.get_header_value<uint64_t>("Content-Length"), limits_.body_bytes)));
    bool too_large = false;
    bool no_room = false;
    const bool complete = read([&](const char* data, size_t size) {
      too_large = size > limits_.body_bytes - body.text().size();
      no_room = !too_large && !body.Append({data, size}, kBodiesAtOnce * limits_.body_bytes);
      return !too_large && !no_room;
    });
    if (complete) return Answer(from, body.Take(), to);
    CloseAfter(to);
    if (too_large || to.status == 413) {
      return Fill(to,
                  ProblemResponse(413, Usage("the body is larger than {} bytes", limits_.body_bytes)
                                           .Advise("the server's option --max-body is the "
                                                   "limit")));
    }
    if (no_room) {
      return Fill(to, ProblemResponse(503, Unavailable("other requests fill the memory for bodies")
                                               .Advise("try again later")));
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
    if (drops) return true;
    if (no_place) {
      connection.CloseAfterThis();
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
  std::atomic<size_t> held_bytes_{0};
};

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpLimits& limits, HttpHandler handler) : server(limits, std::move(handler)) {}
  ~Impl() { Stop(); }

  // 0 when the address cannot be bound.
  int Bind(const Address& to) {
    const int found = to.port == 0                            ? server.bind_to_any_port(to.host)
                      : server.bind_to_port(to.host, to.port) ? to.port
                                                              : 0;
    if (found <= 0) return 0;
    server.LengthenQueue();
    return found;
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
