#include "base/status.h"

namespace anemone {

int ExitCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMismatch:
      return 1;
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kInvalidInput:
    case ErrorCode::kUnsupported:
    case ErrorCode::kNotFound:
    case ErrorCode::kIo:
      return 3;
    case ErrorCode::kUnavailable:
      return 4;
    case ErrorCode::kBackendCrashed:
      return 5;
    case ErrorCode::kTimeout:
      return 6;
    case ErrorCode::kUnitNotObtained:
      return 7;
    case ErrorCode::kInconclusive:
      return 8;
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return 70;
  }
  return 70;
}

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMismatch:
      return "mismatch";
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kInvalidInput:
      return "invalid_input";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kBackendCrashed:
      return "backend_crashed";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kUnitNotObtained:
      return "unit_not_obtained";
    case ErrorCode::kInconclusive:
      return "inconclusive";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

struct Error::Rep {
  ErrorCode code;
  std::string message;
  std::string place = {};
  std::string advice = {};
};

Error::Error(ErrorCode code, std::string message) : rep_(new Rep{code, std::move(message)}) {}

Error::Error(const Error& other) : rep_(other.rep_ != nullptr ? new Rep(*other.rep_) : nullptr) {}

void Error::Free(Rep* rep) noexcept { delete rep; }

Error Error::At(std::string_view place) && {
  std::string& inner = rep_->place;
  inner = inner.empty() ? std::string(place) : std::string(place) + ": " + inner;
  return std::move(*this);
}

Error Error::Advise(std::string_view advice) && {
  rep_->advice = advice;
  return std::move(*this);
}

ErrorCode Error::code() const { return rep_->code; }
const std::string& Error::message() const { return rep_->message; }
const std::string& Error::place() const { return rep_->place; }
const std::string& Error::advice() const { return rep_->advice; }

std::string Error::ToString() const {
  std::string text = rep_->place.empty() ? rep_->message : rep_->place + ": " + rep_->message;
  if (!rep_->advice.empty()) text += " (" + rep_->advice + ")";
  return text;
}

namespace internal {
Error MakeError(ErrorCode code, fmt::string_view format, fmt::format_args args) {
  return Error(code, fmt::vformat(format, args));
}
}  // namespace internal

}  // namespace anemone
