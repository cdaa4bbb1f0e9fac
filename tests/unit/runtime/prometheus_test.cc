// The exposition, as text and as a real Prometheus server reads it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "runtime/prometheus_exporter.h"
#include "support/scratch.h"

namespace anemone::runtime {
namespace {

using Json = nlohmann::json;

// The body of an HTTP answer from this machine, or empty.
std::string Get(int port, const std::string& target) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request =
        "GET " + target + " HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char buffer[4096];
      for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
  }
  close(fd);
  const size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  int port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

class PrometheusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!PrometheusAvailable()) GTEST_SKIP() << "built without prometheus-cpp";
    telemetry_.record_load(2'000'000, true);
    for (int i = 1; i <= 1000; ++i) {
      telemetry_.record_inference(i * 10'000, true, ComputeUnit::kAne);  // 10 us to 10 ms
    }
    telemetry_.record_inference(1, false, ComputeUnit::kAne, ComputeUnit::kUnknown,
                                FailureKind::kNonFinite);
    telemetry_.record_fallback(FallbackReason::kNonFinite, "coreml", "cpu");
    breaker_.Trip(FailureKind::kNonFinite);
    (void)breaker_.Acquire();
  }
  std::vector<PrometheusSource> Sources() {
    return {{"model \"x\"\n", "coreml", "all", [this] { return telemetry_.Snapshot(); },
             [this] { return breaker_.Gauges(); }}};
  }

  Telemetry telemetry_;
  CircuitBreaker breaker_{BreakerConfig{}};
};

TEST_F(PrometheusTest, TextHasEachCount) {
  const auto text = PrometheusText(Sources());
  ASSERT_TRUE(text.ok());
  const std::string base = R"(model="model \"x\"\n",backend="coreml",compute_units="all")";
  for (const std::string& line :
       {"anemone_attempts_total{" + base + R"(,phase="inference",outcome="success"} 1000)",
        "anemone_attempts_total{" + base + R"(,phase="inference",outcome="failure"} 1)",
        "anemone_failures_total{" + base + R"(,phase="inference",kind="non_finite"} 1)",
        "anemone_inferences_planned_total{" + base + R"(,unit="ane"} 1001)",
        "anemone_inferences_observed_total{" + base + R"(,unit="ane"} 0)",
        "anemone_fallbacks_total{" + base + R"(,reason="non_finite"} 1)",
        "anemone_inference_duration_seconds_count{" + base + "} 1000",
        "anemone_circuit_state{" + base + R"(,state="open"} 1)",
        "anemone_circuit_state{" + base + R"(,state="closed"} 0)",
        "anemone_circuit_not_permitted_calls_total{" + base + "} 1",
        std::string("# TYPE anemone_inference_duration_seconds histogram")}) {
    EXPECT_NE(text->find(line + "\n"), std::string::npos) << line << "\nin\n" << *text;
  }
  EXPECT_EQ(text->find("anemone_memory_high_water_bytes"), std::string::npos)
      << "unknown is absent, not 0";
  EXPECT_EQ(text->find("failure_rate"), std::string::npos);
}

TEST_F(PrometheusTest, AddressesAreCheckedAndTakenPortsReported) {
  for (const char* address :
       {"", ":9464", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999"}) {
    const auto exporter = PrometheusExporter::Start(address, {});
    ASSERT_FALSE(exporter.ok()) << address;
    EXPECT_EQ(exporter.error().code(), ErrorCode::kUsage) << address;
  }
  const auto first = PrometheusExporter::Start("127.0.0.1:0", Sources());
  ASSERT_TRUE(first.ok()) << first.error().ToString();
  ASSERT_GT((*first)->port(), 0);
  const auto second =
      PrometheusExporter::Start("127.0.0.1:" + std::to_string((*first)->port()), Sources());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kIo);
  EXPECT_NE(Get((*first)->port(), "/metrics").find("anemone_attempts_total"), std::string::npos);
}

// A server that is stopped when the test ends in any way.
class Server {
 public:
  Server(const std::string& program, const std::vector<std::string>& arguments,
         const std::string& log) {
    pid_ = fork();
    if (pid_ != 0) return;
    if (std::freopen(log.c_str(), "w", stderr) == nullptr) _exit(126);
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  ~Server() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  bool running() const { return pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

TEST_F(PrometheusTest, ARealServerScrapesAndAnswersQueries) {
  const std::string program = FindProgram("prometheus");
  if (program.empty()) {
    GTEST_SKIP() << "no Prometheus server on PATH (Debian: apt-get install prometheus)";
  }
  const auto exporter = PrometheusExporter::Start("127.0.0.1:0", Sources());
  ASSERT_TRUE(exporter.ok()) << exporter.error().ToString();
  test::ScratchFolder scratch;
  test::WriteText(scratch / "prometheus.yml",
                  "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
                  "scrape_configs:\n- job_name: anemone\n  static_configs:\n"
                  "  - targets: ['127.0.0.1:" +
                      std::to_string((*exporter)->port()) + "']\n");
  const int port = FreePort();
  ASSERT_GT(port, 0);
  const std::string log = scratch / "prometheus.log";
  const Server server(
      program,
      {"--config.file=" + (scratch / "prometheus.yml"), "--storage.tsdb.path=" + (scratch / "data"),
       "--web.listen-address=127.0.0.1:" + std::to_string(port)},
      log);

  // The first value of a query, as the server returns it; empty when there is none.
  const auto query = [&](const std::string& expression) -> std::string {
    std::string encoded;
    for (const unsigned char c : expression) {
      char hex[4];
      std::snprintf(hex, sizeof(hex), "%%%02X", c);
      encoded += hex;
    }
    const Json json = Json::parse(Get(port, "/api/v1/query?query=" + encoded), nullptr, false);
    if (json.is_discarded() || json["status"] != "success") return "";
    const Json& result = json["data"]["result"];
    return result.empty() ? "" : result[0]["value"][1].get<std::string>();
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (query("up{job=\"anemone\"}") != "1") {
    ASSERT_TRUE(server.running()) << test::ReadText(log);
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << test::ReadText(log);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(query("anemone_attempts_total{phase=\"inference\",outcome=\"success\"}"), "1000");
  EXPECT_EQ(query("anemone_circuit_state{state=\"open\"}"), "1");
  EXPECT_EQ(query("sum(anemone_inferences_observed_total{unit!=\"unknown\"})"), "0");
  EXPECT_EQ(query("anemone_inference_duration_seconds_bucket{le=\"0.005\"}"), "501")
      << "500 calls are within 5 ms; one more shares the last bucket";
  const double p99 = std::strtod(
      query("anemone_inference_duration_quantile_seconds{quantile=\"0.99\"}").c_str(), nullptr);
  EXPECT_NEAR(p99, 9.9e-3, 0.01 * 9.9e-3);
  const double median = std::strtod(
      query("histogram_quantile(0.5, anemone_inference_duration_seconds_bucket)").c_str(), nullptr);
  EXPECT_NEAR(median, 5e-3, 0.02 * 5e-3);

  // What changes is seen by the next scrape.
  breaker_.Reset();
  while (query("anemone_circuit_state{state=\"closed\"}") != "1") {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << test::ReadText(log);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace
}  // namespace anemone::runtime
