// ConfigTable: the keys of a setting in documents, each with its field. configuration_json.cc reads
// and writes by it, so a key is stated once. Ownership: a table points into the struct from which
// it was made, which must outlive it. Thread rules: values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "compress/configuration.h"
#include "compress/linear_codec.h"
#include "compress/op_config.h"

namespace anemone::compress {

// A field whose values have names.
struct Choice {
  std::vector<std::string_view> names;
  std::function<size_t()> get;      // index of the name; names.size() when the value has none
  std::function<void(size_t)> set;  // below names.size()
};

template <typename T>
Choice ChoiceOf(T* field, std::vector<std::pair<std::string_view, T>> named) {
  Choice choice;
  for (const auto& [name, value] : named) choice.names.push_back(name);
  choice.get = [field, named] {
    size_t i = 0;
    while (i < named.size() && named[i].second != *field) ++i;
    return i;
  };
  choice.set = [field, named](size_t i) { *field = named[i].second; };
  return choice;
}
// Sets the value with that name; without one, the field keeps its value.
void Choose(const Choice& choice, std::string_view name);
// "linear_symmetric" and, for the asymmetric mode, "linear": the names that coremltools gives them.
Choice LinearModeChoice(LinearMode* mode);
Choice QuantizedDTypeChoice(DType* dtype);  // "int8", "uint8", "int4", "uint4"
Choice GranularityChoice(Granularity* granularity);
Choice ObserverChoice(Observer* observer);  // "min_max", "percentile", "mse", "entropy"

// One number, or a list of them.
struct SizeOrSizes {
  int64_t* size;
  std::vector<int64_t>* sizes;  // empty: `size` applies
};
// Read, but without effect on the result.
struct Ignored {};

struct ConfigField {
  const char* key;
  // Optional fields without a value are left out of documents, and null reads as no value.
  std::variant<bool*, int*, int64_t*, double*, std::optional<int>*, std::optional<int64_t>*,
               std::optional<double>*, std::optional<std::pair<int64_t, int64_t>>*, Choice,
               SizeOrSizes, Ignored>
      field;
  bool unless_default = false;   // documents leave it out where it has its default value
  bool null_is_default = false;  // null reads as if the key were absent
};
using ConfigTable = std::vector<ConfigField>;
// The range of a field that is an int, before the rules of its method.
inline constexpr int kLeastConfigInteger = -1000;
inline constexpr int kLargestConfigInteger = 1000;

// The keys of quantized activations; those of weights are Method::FieldsOf.
ConfigTable FieldsOf(ActivationConfig& config);
ConfigTable FieldsOf(ActivationStep& step);

}  // namespace anemone::compress
