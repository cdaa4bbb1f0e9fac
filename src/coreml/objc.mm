#include "coreml/objc.h"

namespace anemone::coreml {

NSArray* NsShape(const ir::Shape& shape) {
  NSMutableArray* numbers = [NSMutableArray arrayWithCapacity:shape.size()];
  for (const int64_t size : shape) [numbers addObject:[NSNumber numberWithLongLong:size]];
  return numbers;
}

ir::Shape ShapeOf(NSArray* numbers) {
  ir::Shape shape;
  for (NSNumber* number in numbers) shape.push_back([number longLongValue]);
  return shape;
}

Error ErrorOf(exec::FailureKind stage, NSError* error) {
  if (error == nil) return exec::Failure(stage, "Core ML failed and gave no reason");
  std::string message;
  exec::FailureKind kind = stage;
  // The chain is short; the limit guards against a cycle.
  for (int depth = 0; error != nil && depth < 8; ++depth) {
    const std::string domain = Text([error domain]);
    const std::string text = Text([error localizedDescription]);
    const auto code = static_cast<int64_t>([error code]);
    message += fmt::format("{}{} {}: {}", depth == 0 ? "" : "; because of ", domain, code, text);
    if (kind == stage) kind = Classify(stage, {domain, code, text});
    error = [[error userInfo] objectForKey:NSUnderlyingErrorKey];
  }
  return exec::Failure(kind, message);
}

Error ErrorOfException(exec::FailureKind stage, const char* name, const char* reason) {
  return exec::Failure(Classify(stage, {name, 0, reason}),
                       fmt::format("Core ML threw {}: {}", name, reason));
}

}  // namespace anemone::coreml
