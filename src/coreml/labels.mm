#include "coreml/labels.h"

#include <charconv>

namespace anemone::coreml {
namespace {

Error Mismatch(const std::string& message) {
  return exec::Failure(exec::FailureKind::kSchemaMismatch, message);
}

id KeyOf(const std::string& name, bool integer) {
  if (!integer) return NsText(name);
  int64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return [NSNumber numberWithLongLong:number];
}

}  // namespace

Labels::Labels(const exec::Classes& classes) : integers_(classes.integers) {
  NSMutableArray* keys = [NSMutableArray arrayWithCapacity:classes.names.size()];
  NSMutableDictionary* indices = [NSMutableDictionary dictionaryWithCapacity:classes.names.size()];
  for (size_t i = 0; i < classes.names.size(); ++i) {
    const id key = KeyOf(classes.names[i], integers_);
    [keys addObject:key];
    // The first of two classes with one name wins.
    if ([indices objectForKey:key] != nil) continue;
    [indices setObject:[NSNumber numberWithLongLong:static_cast<int64_t>(i)] forKey:key];
  }
  keys_ = Strong<NSArray*>(keys);
  indices_ = Strong<NSDictionary*>(indices);
}

Result<int32_t> Labels::IndexOf(MLFeatureValue* value) const {
  if ([value type] != (integers_ ? MLFeatureTypeInt64 : MLFeatureTypeString)) {
    return Mismatch(fmt::format("Core ML returned no {} label", integers_ ? "int64" : "string"));
  }
  NSString* const text = integers_ ? nil : [value stringValue];
  const int64_t number = integers_ ? [value int64Value] : 0;
  const id key = integers_ ? [NSNumber numberWithLongLong:number] : text;
  NSNumber* const index = key != nil ? [indices_.get() objectForKey:key] : nil;
  if (index == nil) {
    return Mismatch(
        fmt::format("Core ML returned the label '{}', which is not one of the {} classes",
                    integers_ ? std::to_string(number) : Text(text), [keys_.get() count]));
  }
  return static_cast<int32_t>([index longLongValue]);
}

Status Labels::Probabilities(MLFeatureValue* value, const exec::MutableTensor& to) const {
  if ([value type] != MLFeatureTypeDictionary) return Mismatch("Core ML returned no dictionary");
  NSDictionary* const dictionary = [value dictionaryValue];
  float* out = to.As<float>();
  for (const id key in keys_.get()) {
    NSNumber* const probability = [dictionary objectForKey:key];
    if (probability == nil) {
      return Mismatch(fmt::format("Core ML returned {} probabilities, but none for class '{}'",
                                  [dictionary count], Text([key description])));
    }
    *out++ = [probability floatValue];
  }
  return {};
}

}  // namespace anemone::coreml
