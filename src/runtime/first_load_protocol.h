// The messages between a first load's parent and child: a request file, a result file, and a line
// on stderr for each phase. JSON; none of it is trusted. Pure functions but for the files.
#pragma once

#include <chrono>
#include <string>

#include "base/status.h"
#include "exec/backend.h"
#include "runtime/first_load.h"
#include "runtime/known_answer.h"

namespace anemone::runtime {

// Begins the line that announces a phase.
inline constexpr const char* kPhaseMark = "anemone-first-load: ";

struct FirstLoadRequest {
  std::string backend;
  exec::LoadOptions load;
  AnswerLimits limits;
  std::chrono::nanoseconds timeout{0};
  std::string result_path;
};

Status WriteRequest(const FirstLoadRequest& request, const std::string& path);
Result<FirstLoadRequest> ReadRequest(const std::string& path);
Status WriteVerdict(const FirstLoadVerdict& verdict, const std::string& path);
Result<FirstLoadVerdict> ReadVerdict(const std::string& path);

}  // namespace anemone::runtime
