// The V2 inference protocol (KServe's "Open Inference Protocol", Triton's v2): its request and its
// answer, with tensors as JSON or, after the JSON, as bytes (the extension "binary_tensor_data").
//
// Thread rules: pure functions. Errors: kUsage and kInvalidInput for what the client did wrong, with
// the member that is wrong; kUnsupported for parts of the protocol that are not here.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "anemone/model.h"
#include "base/json.h"
#include "base/status.h"
#include "serve/http.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"

namespace anemone::serve {

inline constexpr std::string_view kJsonLengthHeader = "Inference-Header-Content-Length";

struct InferRequest {
  std::string id;
  std::map<std::string, Array> inputs;
  struct Output {
    std::string name;
    bool binary = false;
  };
  std::vector<Output> outputs;  // that are wanted; empty: all
  bool binary_outputs = false;  // of those not listed
};

Result<InferRequest> ReadInferRequest(const HttpRequest& request);
Result<HttpResponse> InferResponse(const ServedModel& served, const InferRequest& request,
                                   const Answer& answer);

// The answers of /v2 and /v2/models/NAME.
Json ServerMetadata();
Json ModelMetadata(const ServedModel& served);

// Who answered: in the headers of every answer to an inference.
void AddReport(const Answer& answer, HttpResponse& response);
Json ReportJson(const Answer& answer);

}  // namespace anemone::serve
