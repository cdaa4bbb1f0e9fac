#include "acquire/url.h"

#include <curl/curl.h>

#include <memory>

namespace anemone::acquire {
namespace {

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

std::string SafeFileName(std::string_view path) {
  path = path.substr(0, path.find('?'));
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  std::string name;
  for (const char c : path) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
    name += safe ? c : '_';
  }
  while (!name.empty() && name.front() == '.') name.erase(name.begin());
  if (name.size() > 120) name.erase(0, name.size() - 120);  // keeps the extension
  return name.empty() ? "download" : name;
}

}  // namespace

bool LooksLikeUrl(std::string_view text) { return text.find("://") != std::string_view::npos; }

Result<Url> ParseUrl(std::string_view text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), curl_url_cleanup);
  if (handle == nullptr)
    return Unavailable("libcurl is not installed").Advise("install it (Debian: libcurl4)");
  const std::string copy(text);
  if (curl_url_set(handle.get(), CURLUPART_URL, copy.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
      CURLUE_OK) {
    return Usage("'{}' is not a URL", text).Advise("write https://host/path/file");
  }
  Url url;
  url.scheme = Part(handle.get(), CURLUPART_SCHEME);
  if (url.scheme != "https" && url.scheme != "http") {
    return Usage("'{}': the scheme '{}' is not supported", text, url.scheme)
        .Advise("only https and http are fetched; name a file on this machine by its path");
  }
  if (!Part(handle.get(), CURLUPART_USER).empty() ||
      !Part(handle.get(), CURLUPART_PASSWORD).empty()) {
    return Usage("the URL carries a user name or a password, which records would keep")
        .Advise("use a URL without them");
  }
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  url.text = Part(handle.get(), CURLUPART_URL);
  url.host = Part(handle.get(), CURLUPART_HOST);
  const std::string port = Part(handle.get(), CURLUPART_PORT);
  if (!port.empty()) url.host += ":" + port;
  url.path = Part(handle.get(), CURLUPART_PATH);
  const std::string query = Part(handle.get(), CURLUPART_QUERY);
  if (!query.empty()) url.path += "?" + query;
  url.file_name = SafeFileName(Part(handle.get(), CURLUPART_PATH, CURLU_URLDECODE));
  return url;
}

Result<std::string> AtMirror(const std::string& mirror, const Url& url) {
  ANEMONE_ASSIGN(const Url base, ParseUrl(mirror).At("ANEMONE_MIRROR"));
  std::string text = base.text;
  while (text.back() == '/') text.pop_back();
  return text + "/" + url.host + url.path;
}

}  // namespace anemone::acquire
