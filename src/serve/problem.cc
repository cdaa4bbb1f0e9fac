#include "serve/problem.h"

#include "base/json.h"

namespace anemone::serve {

int HttpStatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kInvalidInput:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kTimeout:
      return 504;
    case ErrorCode::kMismatch:
    case ErrorCode::kIo:
    case ErrorCode::kBackendCrashed:
    case ErrorCode::kUnitNotObtained:
    case ErrorCode::kInconclusive:
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

HttpResponse ProblemResponse(const Error& error) {
  return ProblemResponse(HttpStatusOf(error.code()), error);
}

HttpResponse ProblemResponse(int status, const Error& error) {
  const Json body{{"error", error.ToString()},
                  {"code", ErrorCodeName(error.code())},
                  {"message", error.message()},
                  {"place", error.place()},
                  {"advice", error.advice()}};
  HttpResponse response{.status = status, .body = body.Dump() + "\n"};
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace anemone::serve
