// FeatureValue: what a feature of a Core ML model holds: an array, a number, a text, a dictionary, a
// sequence or an image. Models of every type take and give them by name.
//
// Arrays keep the element type of the feature, double precision included (exec's own kernels see
// float32 only). Ownership: values; copies share the elements of arrays and images. Thread rules:
// values. Errors: kUsage for what does not fit.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::feature_models {

// Pixels as people see them: uint8 [height, width, 3] in the order red, green, blue, or [height,
// width]; gray pixels of half precision are float32 [height, width].
struct Image {
  exec::Tensor pixels;
  int64_t height() const { return pixels.shape()[0]; }
  int64_t width() const { return pixels.shape()[1]; }
  int64_t channels() const { return pixels.shape().size() == 3 ? pixels.shape()[2] : 1; }
};

using StringDictionary = std::map<std::string, double>;
using Int64Dictionary = std::map<int64_t, double>;
using Strings = std::vector<std::string>;
using Int64s = std::vector<int64_t>;

using FeatureValue = std::variant<exec::Tensor, int64_t, double, std::string, StringDictionary,
                                  Int64Dictionary, Strings, Int64s, Image>;
using FeatureValues = std::map<std::string, FeatureValue>;

// "an array", "a double", "a dictionary with text keys": for messages.
std::string_view KindOf(const FeatureValue& value);
// The same of what a feature takes: "a double", "an array of fp64 [3]".
std::string KindOf(const ir::Feature& feature);

// The elements of an array as doubles, row-major; every element type is exact in them.
std::vector<double> NumbersOf(const exec::Tensor& tensor);
// An array of `shape`, each element rounded to `dtype`; integers toward zero, within their limits.
Result<exec::Tensor> ArrayOf(DType dtype, const ir::Shape& shape, std::span<const double> numbers);
// The array with elements of `dtype`; itself when it has them.
Result<exec::Tensor> WithDType(const exec::Tensor& tensor, DType dtype);

// `value` as `feature` takes it: an array in the feature's element type and one of its shapes, a
// double from an integer, an integer from a double without a fraction.
Result<FeatureValue> Conform(const ir::Feature& feature, const FeatureValue& value);
// Every declared input of a call: what is given, conformed; the declared default of an optional
// array that is not given; nothing for another optional input. Unknown names are an error.
Result<FeatureValues> ConformInputs(const ir::FunctionDescription& description,
                                    const FeatureValues& inputs);
// `numbers` as the output `feature` declares them: a double or an integer when there is one, an
// array.
Result<FeatureValue> OutputOf(const ir::Feature& feature, std::span<const double> numbers);

}  // namespace anemone::feature_models
