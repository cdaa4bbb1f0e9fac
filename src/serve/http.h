// One request and its answer, as the routes see them: whatever speaks HTTP fills the first and sends
// the second. Thread rules: values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anemone::serve {

struct HttpRequest {
  std::string method;  // "GET", "POST" ...; HEAD comes as GET
  std::string path;    // percent-decoded, without the query
  std::map<std::string, std::string> query = {};
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};
  int64_t deadline_ns = INT64_MAX;  // of the answer, on the steady clock

  // Empty when there is none.
  std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : found->second;
  }
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

// Called on any number of threads at once; does not throw.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

}  // namespace anemone::serve
