// On Linux libcurl is opened on first use: it brings thirty libraries with it (TLS, Kerberos, LDAP
// ...), which take 10 ms to start, and only two commands use the network. The functions of
// <curl/curl.h> that we call are defined here, under their own names, and forward to the library;
// where it is not installed they fail as libcurl does without memory. On other systems it is linked
// as usual. Thread rules: as libcurl's.
#ifdef __linux__

#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>

// libcurl's header defines these as macros that name themselves.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace {

template <typename Function>
Function* Find(const char* name) {
  static void* const library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

// Calls libcurl's function, or returns `fallback`.
template <typename Function, typename Result, typename... Args>
Result Call(Function* function, Result fallback, Args... args) {
  return function == nullptr ? fallback : function(args...);
}

template <typename Function, typename... Args>
void CallVoid(Function* function, Args... args) {
  if (function != nullptr) function(args...);
}

// The type of a function's first parameter: newer headers add a const to some.
template <typename Function>
struct FirstOf;
template <typename Result, typename First, typename... Rest>
struct FirstOf<Result(First, Rest...)> {
  using Type = First;
};

}  // namespace

#define ANEMONE_CURL(name)                                  \
  [] {                                                      \
    static auto* const found = Find<decltype(name)>(#name); \
    return found;                                           \
  }()

// The variadic functions name an enumeration before the dots, as libcurl declares them.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wvarargs"
#endif

extern "C" {

CURLcode curl_global_init(long flags) {
  return Call(ANEMONE_CURL(curl_global_init), CURLE_FAILED_INIT, flags);
}

CURL* curl_easy_init() { return Call(ANEMONE_CURL(curl_easy_init), static_cast<CURL*>(nullptr)); }

void curl_easy_cleanup(CURL* handle) { CallVoid(ANEMONE_CURL(curl_easy_cleanup), handle); }

CURLcode curl_easy_setopt(CURL* handle, CURLoption option, ...) {
  auto* const real = ANEMONE_CURL(curl_easy_setopt);
  if (real == nullptr) return CURLE_FAILED_INIT;
  std::va_list list;
  va_start(list, option);
  CURLcode result = CURLE_OK;
  // The number of an option determines the type of its argument.
  if (option < CURLOPTTYPE_OBJECTPOINT) {
    result = real(handle, option, va_arg(list, long));
  } else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB) {
    result = real(handle, option, va_arg(list, curl_off_t));
  } else {
    result = real(handle, option, va_arg(list, void*));
  }
  va_end(list);
  return result;
}

CURLcode curl_easy_getinfo(CURL* handle, CURLINFO info, ...) {
  std::va_list list;
  va_start(list, info);
  void* const target = va_arg(list, void*);
  va_end(list);
  auto* const real = ANEMONE_CURL(curl_easy_getinfo);
  return real == nullptr ? CURLE_FAILED_INIT : real(handle, info, target);
}

const char* curl_easy_strerror(CURLcode code) {
  return Call(ANEMONE_CURL(curl_easy_strerror),
              static_cast<const char*>("libcurl is not installed"), code);
}

void curl_free(void* memory) { CallVoid(ANEMONE_CURL(curl_free), memory); }

time_t curl_getdate(const char* text, const time_t* unused) {
  return Call(ANEMONE_CURL(curl_getdate), time_t{-1}, text, unused);
}

CURLM* curl_multi_init() {
  return Call(ANEMONE_CURL(curl_multi_init), static_cast<CURLM*>(nullptr));
}

CURLMcode curl_multi_cleanup(CURLM* multi) {
  return Call(ANEMONE_CURL(curl_multi_cleanup), CURLM_BAD_HANDLE, multi);
}

CURLMcode curl_multi_add_handle(CURLM* multi, CURL* handle) {
  return Call(ANEMONE_CURL(curl_multi_add_handle), CURLM_BAD_HANDLE, multi, handle);
}

CURLMcode curl_multi_remove_handle(CURLM* multi, CURL* handle) {
  return Call(ANEMONE_CURL(curl_multi_remove_handle), CURLM_BAD_HANDLE, multi, handle);
}

CURLMcode curl_multi_perform(CURLM* multi, int* running) {
  return Call(ANEMONE_CURL(curl_multi_perform), CURLM_BAD_HANDLE, multi, running);
}

CURLMcode curl_multi_poll(CURLM* multi, curl_waitfd* extra, unsigned int count, int timeout_ms,
                          int* changed) {
  return Call(ANEMONE_CURL(curl_multi_poll), CURLM_BAD_HANDLE, multi, extra, count, timeout_ms,
              changed);
}

CURLMsg* curl_multi_info_read(CURLM* multi, int* left) {
  return Call(ANEMONE_CURL(curl_multi_info_read), static_cast<CURLMsg*>(nullptr), multi, left);
}

curl_slist* curl_slist_append(curl_slist* list, const char* text) {
  return Call(ANEMONE_CURL(curl_slist_append), static_cast<curl_slist*>(nullptr), list, text);
}

void curl_slist_free_all(curl_slist* list) { CallVoid(ANEMONE_CURL(curl_slist_free_all), list); }

CURLU* curl_url() { return Call(ANEMONE_CURL(curl_url), static_cast<CURLU*>(nullptr)); }

void curl_url_cleanup(CURLU* url) { CallVoid(ANEMONE_CURL(curl_url_cleanup), url); }

CURLUcode curl_url_get(FirstOf<decltype(curl_url_get)>::Type url, CURLUPart part, char** text,
                       unsigned int flags) {
  return Call(ANEMONE_CURL(curl_url_get), CURLUE_BAD_HANDLE, url, part, text, flags);
}

CURLUcode curl_url_set(CURLU* url, CURLUPart part, const char* text, unsigned int flags) {
  return Call(ANEMONE_CURL(curl_url_set), CURLUE_BAD_HANDLE, url, part, text, flags);
}

}  // extern "C"

#endif  // __linux__
