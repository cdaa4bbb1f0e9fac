// The C interface through a client in C, and its answers to misuse.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "anemone/anemone.h"
#include "c_client.h"
#include "support/allocations.h"
#include "support/scratch.h"

namespace anemone {
namespace {

class CApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = scratch_ / "double.mil";
    std::ofstream(path_) << "func main<ios15>(tensor<fp32, [2, 2]> x) {\n"
                            "  y = add(x = x, y = x);\n} -> (y);\n";
  }
  struct Answer {
    int code = 0;
    std::string message;
  };
  static Answer Open(const char* model, const char* options) {
    anemone_error* error = nullptr;
    anemone_session* session = nullptr;
    Answer answer{anemone_session_open(model, options, &session, &error), ""};
    if (error != nullptr) answer.message = anemone_error_text(error);
    anemone_error_free(error);
    anemone_session_close(session);
    return answer;
  }

  test::ScratchFolder scratch_;
  std::string path_;
};

TEST_F(CApiTest, AClientInCGetsItsAnswer) {
  const float x[4] = {1, -2, 3, 4};
  float y[4] = {};
  char backend[16] = "", message[256] = "";
  int experimental = -1;
  EXPECT_EQ(CClientDouble(path_.c_str(), "{\"threads\": 1}", x, y, backend, sizeof backend,
                          &experimental, message, sizeof message),
            0)
      << message;
  EXPECT_STREQ(backend, "cpu");
  EXPECT_EQ(experimental, 0);  // ours needs no gate
  EXPECT_EQ(y[3], 8);
}

TEST_F(CApiTest, ErrorsCarryTheExitCodeAndText) {
  EXPECT_EQ(Open("/no/such.mlpackage", nullptr).code, 3);
  EXPECT_EQ(Open(nullptr, nullptr).code, 2);
  EXPECT_EQ(Open(path_.c_str(), "[1]").code, 2);
  const Answer unknown = Open(path_.c_str(), "{\"color\": 1, \"threads\": \"two\"}");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.message.find("no option 'color'"), std::string::npos) << unknown.message;
  EXPECT_NE(unknown.message.find("'threads' must be 0 to 1024"), std::string::npos);
  EXPECT_NE(Open(path_.c_str(), "{\"backend\": \"tpu\"}").message.find("tpu"), std::string::npos);
  const Answer hint = Open(path_.c_str(), "{\"specialization_strategy\": \"fast\"}");
  EXPECT_EQ(hint.code, 2);
  EXPECT_NE(hint.message.find("choose default or fast_prediction"), std::string::npos);
  EXPECT_EQ(Open(path_.c_str(),
                 "{\"specialization_strategy\": \"fast_prediction\", "
                 "\"reshape_frequency\": \"infrequent\"}")
                .code,
            0);
  EXPECT_EQ(Open(path_.c_str(), "{\"breaker\": {\"consecutive_failures\": -1}}").code, 2);
}

TEST_F(CApiTest, RunsWithoutTheHeapAndRefusesWhatDoesNotFit) {
  anemone_session* session = nullptr;
  ASSERT_EQ(anemone_session_open(path_.c_str(), nullptr, &session, nullptr), 0);
  EXPECT_STREQ(anemone_session_state(session), "ready");
  ASSERT_EQ(anemone_session_input_count(session), 1u);
  EXPECT_STREQ(anemone_session_output_name(session, 0), "y");
  EXPECT_EQ(anemone_session_output_name(session, 1), nullptr);
  EXPECT_EQ(anemone_session_input_type(session, 5, nullptr, nullptr, 0), -1);

  const float x[4] = {1, 2, 3, 4};
  float y[4] = {};
  const int64_t shape[2] = {2, 2}, flat[1] = {4};
  anemone_binding* binding = anemone_binding_create();
  anemone_error* error = nullptr;
  EXPECT_EQ(anemone_binding_input(binding, "x", ANEMONE_FLOAT32, shape, 2, nullptr, &error), 2);
  anemone_error_free(error);
  ASSERT_EQ(anemone_binding_input(binding, "x", ANEMONE_FLOAT32, flat, 1, x, nullptr), 0);
  ASSERT_EQ(anemone_binding_output(binding, "y", ANEMONE_FLOAT32, shape, 2, y, nullptr), 0);
  EXPECT_EQ(anemone_session_run(session, binding, nullptr, nullptr, &error), 2);
  EXPECT_STREQ(anemone_error_code(error), "usage");
  anemone_error_free(error);

  ASSERT_EQ(anemone_binding_input(binding, "x", ANEMONE_FLOAT32, shape, 2, x, nullptr), 0);
  anemone_call_report report{};
  report.struct_size = sizeof report;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(anemone_session_run(session, binding, nullptr, &report, nullptr), 0);
  }
  const int64_t before = test::AllocationsSoFar();
  for (int i = 0; i < 1000; ++i) anemone_session_run(session, binding, nullptr, &report, nullptr);
  EXPECT_EQ(test::AllocationsSoFar(), before);
  EXPECT_EQ(y[2], 6);
  EXPECT_STREQ(report.observed_unit, "cpu");
  EXPECT_EQ(report.attempts, 1);

  // An older caller knows fewer fields: the rest is not written.
  anemone_call_report small{};
  small.struct_size = offsetof(anemone_call_report, compute_units);
  ASSERT_EQ(anemone_session_run(session, binding, nullptr, &small, nullptr), 0);
  EXPECT_STREQ(small.backend, "cpu");
  EXPECT_EQ(small.compute_units, nullptr);
  // The fields of the header's first version end with `attempts`; later ones follow.
  anemone_call_report first{};
  first.struct_size = offsetof(anemone_call_report, attempts) + sizeof first.attempts;
  first.experimental = 77;
  ASSERT_EQ(anemone_session_run(session, binding, nullptr, &first, nullptr), 0);
  EXPECT_EQ(first.attempts, 1);
  EXPECT_EQ(first.experimental, 77);
  EXPECT_EQ(anemone_session_class_count(session), 0u);
  EXPECT_EQ(anemone_session_label_output(session), nullptr);

  char* telemetry = anemone_session_telemetry(session);
  const auto json = nlohmann::json::parse(telemetry);
  anemone_string_free(telemetry);
  EXPECT_EQ(json["schema"], "anemone.telemetry");
  EXPECT_EQ(json["inference"]["succeeded"], 1012);
  EXPECT_EQ(json["inferences_observed"]["cpu"], 1012);  // the warm-up is the first inference
  anemone_binding_free(binding);
  anemone_session_close(session);
}

TEST_F(CApiTest, AClassifierGivesTheIndexOfItsClassAndTheNames) {
  for (const bool integers : {false, true}) {
    const std::string model = std::string("tests/fixtures/packages/classifier_") +
                              (integers ? "ints" : "strings") + ".mlpackage";
    anemone_session* session = nullptr;
    ASSERT_EQ(anemone_session_open(model.c_str(), nullptr, &session, nullptr), 0);
    ASSERT_EQ(anemone_session_class_count(session), 12u);
    EXPECT_EQ(anemone_session_class_name(session, 12), nullptr);
    EXPECT_STREQ(anemone_session_label_output(session), "classLabel");
    EXPECT_STREQ(anemone_session_probabilities_output(session), "classLabel_probs");
    EXPECT_STREQ(anemone_session_class_name(session, 3), integers ? "103" : "label 3");
    anemone_dtype dtype = ANEMONE_OTHER;
    int64_t shape[2] = {};
    EXPECT_EQ(anemone_session_output_type(session, 0, &dtype, shape, 2), 0);
    EXPECT_EQ(dtype, ANEMONE_INT32);
    EXPECT_EQ(anemone_session_output_type(session, 1, &dtype, shape, 2), 1);
    EXPECT_EQ(dtype, ANEMONE_FLOAT32);
    EXPECT_EQ(shape[0], 12);
    float x[12] = {0, 1, 2, 3, 9, 1, 1, 1, 1, 1, 1, 1};
    int32_t label = -1;
    float probabilities[12] = {};
    const int64_t in[2] = {1, 12}, out[1] = {12};
    anemone_binding* binding = anemone_binding_create();
    ASSERT_EQ(anemone_binding_input(binding, "x", ANEMONE_FLOAT32, in, 2, x, nullptr), 0);
    ASSERT_EQ(
        anemone_binding_output(binding, "classLabel", ANEMONE_INT32, nullptr, 0, &label, nullptr),
        0);
    ASSERT_EQ(anemone_binding_output(binding, "classLabel_probs", ANEMONE_FLOAT32, out, 1,
                                     probabilities, nullptr),
              0);
    ASSERT_EQ(anemone_session_run(session, binding, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(label, 4);
    float sum = 0;
    for (const float p : probabilities) sum += p;
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_GT(probabilities[4], 0.9F);
    anemone_binding_free(binding);
    anemone_session_close(session);
  }
}

TEST_F(CApiTest, TelemetryGoesToALog) {
  const std::string log = scratch_ / "telemetry.jsonl";
  EXPECT_EQ(Open(path_.c_str(), ("{\"telemetry_log\": \"" + log + "\"}").c_str()).code, 0);
  std::ifstream file(log);
  std::string line;
  std::vector<std::string> types;
  while (std::getline(file, line)) types.push_back(nlohmann::json::parse(line)["event"]);
  EXPECT_EQ(types, (std::vector<std::string>{"load", "first_inference"}));
}

TEST_F(CApiTest, ATraceIsWrittenWhenTheSessionEnds) {
  const std::string trace = scratch_ / "trace.json";
  const float x[4] = {1, -2, 3, 4};
  float y[4] = {};
  char backend[16] = "", message[256] = "";
  int experimental = -1;
  EXPECT_EQ(CClientDouble(path_.c_str(), ("{\"trace_file\": \"" + trace + "\"}").c_str(), x, y,
                          backend, sizeof backend, &experimental, message, sizeof message),
            0)
      << message;
  const auto json = nlohmann::json::parse(test::ReadText(trace));
  std::vector<std::string> names;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] == "X") names.push_back(event["name"]);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"load", "first_inference", "inference"}));
  EXPECT_EQ(Open(path_.c_str(), "{\"trace_file\": \"/no/such/trace.json\"}").code, 3);
}

TEST_F(CApiTest, MetricsAreServedWhileTheSessionLives) {
  // A port in use is reported; so is text that is not an address.
  const Answer wrong = Open(path_.c_str(), "{\"metrics_address\": \"9464\"}");
  const bool built = wrong.message.find("no Prometheus exposition") == std::string::npos;
  EXPECT_EQ(wrong.code, built ? 2 : 4) << wrong.message;
  if (!built) GTEST_SKIP() << "built without prometheus-cpp";
  EXPECT_EQ(Open(path_.c_str(), "{\"metrics_address\": \"127.0.0.1:0\"}").code, 0);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string taken = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const std::string options = "{\"metrics_address\": \"" + taken + "\"}";
  EXPECT_EQ(Open(path_.c_str(), options.c_str()).code, 3);
  close(fd);

  anemone_session* session = nullptr;
  ASSERT_EQ(anemone_session_open(path_.c_str(), options.c_str(), &session, nullptr), 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
  ASSERT_EQ(send(client, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string page;
  char buffer[4096];
  for (ssize_t n; (n = recv(client, buffer, sizeof(buffer), 0)) > 0;) {
    page.append(buffer, static_cast<size_t>(n));
  }
  close(client);
  EXPECT_NE(page.find("anemone_attempts_total{model=\""), std::string::npos) << page;
  EXPECT_NE(page.find("phase=\"first_inference\",outcome=\"success\"} 1\n"), std::string::npos)
      << page;
  const auto begin = std::chrono::steady_clock::now();
  anemone_session_close(session);
  // The server looks at its stop flag every two seconds, unless it is woken.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
  const int late = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_NE(connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(late);
}

}  // namespace
}  // namespace anemone
