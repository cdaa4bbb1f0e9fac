// Shared by the backend's Objective-C++ files: owning pointers, strings, errors, pools. Manual
// retain and release. Nothing throws a C++ exception, and no call into Objective-C is made outside
// Pooled(): this rule keeps pools drained and exceptions inside.
#pragma once

#import <CoreML/CoreML.h>
#import <Foundation/Foundation.h>

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "coreml/classify.h"
#include "coreml/objc_guard.h"
#include "exec/failure.h"
#include "exec/tensor.h"

// Whether the SDK of this build declares the API of that macOS (150000: macOS 15).
#ifdef __APPLE__
#define ANEMONE_SDK(version) (__MAC_OS_X_VERSION_MAX_ALLOWED >= (version))
#else
#define ANEMONE_SDK(version) 1
#define API_AVAILABLE(...)
#endif

namespace anemone::coreml {

// An owning id: retains what it is given.
template <typename T>
class Strong {
 public:
  Strong() = default;
  explicit Strong(T object) : object_([object retain]) {}
  Strong(Strong&& other) noexcept : object_(std::exchange(other.object_, nil)) {}
  Strong& operator=(Strong&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Strong() { [object_ release]; }
  T get() const { return object_; }
  explicit operator bool() const { return object_ != nil; }

 private:
  T object_ = nil;
};

inline std::string Text(NSString* text) {
  const char* utf8 = text != nil ? [text UTF8String] : nullptr;
  return utf8 != nullptr ? utf8 : "";
}
inline NSString* NsText(const std::string& text) {
  return [[[NSString alloc] initWithBytes:text.data()
                                   length:text.size()
                                 encoding:NSUTF8StringEncoding] autorelease];
}

NSArray* NsShape(const ir::Shape& shape);
ir::Shape ShapeOf(NSArray* numbers);

// `error` and its chain of causes as an exec::Failure; nil becomes "failed and gave no reason".
// `stage` is the kind unless the error is more specific.
Error ErrorOf(exec::FailureKind stage, NSError* error);
Error ErrorOfException(exec::FailureKind stage, const char* name, const char* reason);

// Runs body(), which returns a Status, inside a pool and under a guard: an NSException becomes an
// exec::Failure of `stage`.
template <typename Body>
Status Pooled(exec::FailureKind stage, Body body) {
  Status status;
  @autoreleasepool {
    struct Context {
      Body* body;
      Status* status;
    } context{&body, &status};
    char name[128];
    char reason[512];
    const auto run = [](void* opaque) {
      auto* inner = static_cast<Context*>(opaque);
      *inner->status = (*inner->body)();
    };
    if (AnemoneObjcGuard(run, &context, name, sizeof name, reason, sizeof reason) == 0) {
      status = ErrorOfException(stage, name, reason);
    }
  }
  return status;
}

}  // namespace anemone::coreml
