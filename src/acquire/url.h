// URLs that this tool accepts: http or https, without credentials. Thread rules: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::acquire {

struct Url {
  std::string text;       // normalized, without fragment
  std::string scheme;     // "https" or "http"
  std::string host;       // with port when one is given
  std::string path;       // from '/', with the query
  std::string file_name;  // last part of the path, made safe as a name of a file: never empty
};

// kUsage for text that is not a URL, for other schemes, and for URLs that carry a password, which
// records would keep.
Result<Url> ParseUrl(std::string_view text);
// Whether it looks like one ("scheme://").
bool LooksLikeUrl(std::string_view text);
// MIRROR/host/path: where a mirror keeps a copy.
Result<std::string> AtMirror(const std::string& mirror, const Url& url);

}  // namespace anemone::acquire
