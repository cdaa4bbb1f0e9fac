#include "runtime/json_lines_text.h"

#include "base/json.h"

namespace anemone::runtime {

std::string JsonString(std::string_view text) { return Json(text).Dump(); }

}  // namespace anemone::runtime
