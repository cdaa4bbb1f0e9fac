// Reads a classifier's outputs from Core ML's feature values: the label as the index of its class,
// the dictionary as the probabilities in the order of the classes. Objective-C++ only; call inside
// Pooled(). Ownership: owns the keys. Errors: exec::Failure(kSchemaMismatch) for a value of another
// type, a label that is not a class, a class without a probability.
#pragma once

#include "coreml/objc.h"
#include "exec/classifier.h"
#include "exec/tensor.h"

namespace anemone::coreml {

class Labels {
 public:
  Labels() = default;
  explicit Labels(const exec::Classes& classes);

  Result<int32_t> IndexOf(MLFeatureValue* value) const;
  // `to` is float32 [classes].
  Status Probabilities(MLFeatureValue* value, const exec::MutableTensor& to) const;

 private:
  bool integers_ = false;
  Strong<NSArray*> keys_;          // NSString or NSNumber, in order
  Strong<NSDictionary*> indices_;  // key -> index
};

}  // namespace anemone::coreml
