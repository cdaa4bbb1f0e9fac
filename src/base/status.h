// Status and Result<T>: the one error idiom of the library. Nothing in the library prints, aborts
// or throws across its border; every failure is an Error that says what was wrong, where, which
// rule, and what to do next.
//
//   Result<int> Parse(std::string_view text);
//   Status Load(const char* path) {
//     ANEMONE_ASSIGN(int n, Parse("12"));          // returns the error, or declares n
//     ANEMONE_TRY(Store(n));                       // returns the error, or goes on
//     if (n > 9) return InvalidInput("count {} exceeds the limit of {}", n, 9).At(path);
//     return {};                                   // OK
//   }
//
// Thread rules: values; no shared state.
#pragma once

#include <fmt/core.h>

#include <cassert>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace anemone {

// What kind of failure. The command maps each to one exit code (docs/ci.md).
enum class ErrorCode {
  kMismatch,         // 1: a comparison or a gate failed
  kUsage,            // 2: wrong arguments or configuration: the caller's mistake
  kInvalidInput,     // 3: a file or model breaks its format's rules
  kUnsupported,      // 3: valid, but nothing here (or nothing in the chosen target) can express it
  kNotFound,         // 3: a file or a named thing does not exist
  kIo,               // 3: the system could not read or write
  kUnavailable,      // 4: cannot be done on this machine (no Core ML, no ANE)
  kBackendCrashed,   // 5
  kTimeout,          // 6
  kUnitNotObtained,  // 7
  kInconclusive,     // 8
  kCancelled,        // 70: interrupted by the caller
  kInternal,         // 70: a bug of ours
};

// The exit code that `anemone` ends with for `code`.
int ExitCode(ErrorCode code);
// "invalid_input" and so on: stable names for JSON and for Python's exception.
std::string_view ErrorCodeName(ErrorCode code);

// One pointer wide, and its members are not inline: errors are rare, and what every function does
// with one is compiled once. Only its destructor and assignment may see an Error that was moved
// from.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message);
  Error(const Error& other);
  Error(Error&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Error& operator=(Error other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Error() {
    if (rep_ != nullptr) Free(rep_);
  }

  // Adds an outer place: At("op conv_1").At("model.onnx") prints "model.onnx: op conv_1: message".
  Error At(std::string_view place) &&;
  // Says what to do next; the last call wins.
  Error Advise(std::string_view advice) &&;

  ErrorCode code() const;
  const std::string& message() const;
  const std::string& place() const;
  const std::string& advice() const;
  // "place: message (advice)".
  std::string ToString() const;

 private:
  friend class Status;
  struct Rep;
  Error() = default;  // of a Status that is OK
  static void Free(Rep* rep) noexcept;

  Rep* rep_ = nullptr;
};

// OK or an Error. One pointer wide.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return error_.rep_ == nullptr; }
  // Only when !ok().
  const Error& error() const& {
    assert(!ok());
    return error_;
  }
  Error error() && {
    assert(!ok());
    return std::move(error_);
  }
  // The same status, with `place` added to its error as an outer place.
  Status At(std::string_view place) && {
    if (ok()) return {};
    return std::move(error_).At(place);
  }
  std::string ToString() const { return ok() ? "OK" : error_.ToString(); }

 private:
  Error error_;
};

// A T or an Error. A union and a flag, not a std::variant: there is one for nearly every type of
// the library, and a variant's instantiation was a fifth of what a source took to compile.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)), ok_(true) {}       // NOLINT: implicit by design
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: implicit by design
  // Only a failed status.
  Result(Status status) : error_(std::move(status).error()), ok_(false) {}  // NOLINT
  Result(const Result& other) : ok_(other.ok_) {
    if (ok_) {
      std::construct_at(&value_, other.value_);
    } else {
      std::construct_at(&error_, other.error_);
    }
  }
  Result(Result&& other) noexcept : ok_(other.ok_) { Take(other); }
  Result& operator=(Result other) noexcept {
    Destroy();
    ok_ = other.ok_;
    Take(other);
    return *this;
  }
  ~Result() { Destroy(); }

  bool ok() const { return ok_; }
  T& value() & {
    assert(ok());
    return value_;
  }
  const T& value() const& {
    assert(ok());
    return value_;
  }
  T&& value() && {
    assert(ok());
    return std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Only when !ok().
  const Error& error() const& {
    assert(!ok());
    return error_;
  }
  Error error() && {
    assert(!ok());
    return std::move(error_);
  }
  Status status() const& { return ok() ? Status() : Status(error_); }
  Status status() && { return ok() ? Status() : Status(std::move(error_)); }
  Result At(std::string_view place) && {
    if (!ok()) return std::move(error_).At(place);
    return std::move(*this);
  }

 private:
  void Take(Result& other) {
    if (ok_) {
      std::construct_at(&value_, std::move(other.value_));
    } else {
      std::construct_at(&error_, std::move(other.error_));
    }
  }
  void Destroy() {
    if (ok_) {
      std::destroy_at(&value_);
    } else {
      std::destroy_at(&error_);
    }
  }

  union {
    T value_;      // NOLINT(readability-identifier-naming): private, though of a union
    Error error_;  // NOLINT(readability-identifier-naming)
  };
  bool ok_;
};

namespace internal {
Error MakeError(ErrorCode code, fmt::string_view format, fmt::format_args args);
}  // namespace internal

#define ANEMONE_DEFINE_ERROR(Name, Code)                                                 \
  template <typename... Args>                                                            \
  Error Name(fmt::format_string<Args...> format, Args&&... args) {                       \
    return internal::MakeError(ErrorCode::Code, format, fmt::make_format_args(args...)); \
  }
ANEMONE_DEFINE_ERROR(Mismatch, kMismatch)
ANEMONE_DEFINE_ERROR(Usage, kUsage)
ANEMONE_DEFINE_ERROR(InvalidInput, kInvalidInput)
ANEMONE_DEFINE_ERROR(Unsupported, kUnsupported)
ANEMONE_DEFINE_ERROR(NotFound, kNotFound)
ANEMONE_DEFINE_ERROR(IoError, kIo)
ANEMONE_DEFINE_ERROR(Unavailable, kUnavailable)
ANEMONE_DEFINE_ERROR(Cancelled, kCancelled)
ANEMONE_DEFINE_ERROR(Internal, kInternal)
#undef ANEMONE_DEFINE_ERROR

#define ANEMONE_CONCAT_INNER(a, b) a##b
#define ANEMONE_CONCAT(a, b) ANEMONE_CONCAT_INNER(a, b)
// Returns the error of a Status expression from the enclosing function.
#define ANEMONE_TRY(expression)                                         \
  do {                                                                  \
    ::anemone::Status anemone_status = (expression);                    \
    if (!anemone_status.ok()) return std::move(anemone_status).error(); \
  } while (false)
// Declares or assigns `target` from a Result expression, or returns its error.
#define ANEMONE_ASSIGN(target, ...) \
  ANEMONE_ASSIGN_INNER(ANEMONE_CONCAT(anemone_result_, __COUNTER__), target, (__VA_ARGS__))
#define ANEMONE_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                            \
  if (!result.ok()) return std::move(result).error();    \
  target = std::move(result).value()

}  // namespace anemone
