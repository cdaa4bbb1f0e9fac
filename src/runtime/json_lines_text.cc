#include "runtime/json_lines_text.h"

#include <nlohmann/json.hpp>

namespace anemone::runtime {

std::string JsonString(std::string_view text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace anemone::runtime
