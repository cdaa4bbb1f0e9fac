#include "feature_binding.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "anemone/feature_model.h"
#include "failure.h"
#include "released.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace anemone::python {
namespace {

[[noreturn]] void Refuse(const std::string& name, const std::string& message) {
  throw FailureException{{2, "usage", message, "input '" + name + "'", ""}};
}

// A dict or a list, all of whose keys or elements are of one type; an empty one is of texts.
FeatureValue FromDict(const std::string& name, const nb::dict& dict) {
  std::map<std::string, double> by_text;
  std::map<int64_t, double> by_integer;
  for (const auto& [key, value] : dict) {
    double number = 0;
    if (!nb::try_cast(value, number)) Refuse(name, "the values of a dictionary are numbers");
    if (nb::isinstance<nb::str>(key)) {
      by_text[nb::cast<std::string>(key)] = number;
    } else if (int64_t integer = 0; nb::try_cast(key, integer)) {
      by_integer[integer] = number;
    } else {
      Refuse(name, "the keys of a dictionary are texts or integers");
    }
  }
  if (!by_text.empty() && !by_integer.empty()) {
    Refuse(name, "the keys of a dictionary are all texts or all integers");
  }
  if (!by_integer.empty()) return FeatureValue(FeatureValue::Value(std::move(by_integer)));
  return FeatureValue(FeatureValue::Value(std::move(by_text)));
}

FeatureValue FromList(const std::string& name, const nb::list& list) {
  std::vector<std::string> texts;
  std::vector<int64_t> integers;
  for (const nb::handle element : list) {
    if (nb::isinstance<nb::str>(element)) {
      texts.push_back(nb::cast<std::string>(element));
    } else if (int64_t integer = 0; nb::try_cast(element, integer)) {
      integers.push_back(integer);
    } else {
      Refuse(name, "a sequence holds texts or integers");
    }
  }
  if (!texts.empty() && !integers.empty())
    Refuse(name, "a sequence holds all texts or all integers");
  if (!integers.empty()) return FeatureValue(FeatureValue::Value(std::move(integers)));
  return FeatureValue(FeatureValue::Value(std::move(texts)));
}

FeatureValue FromPython(const std::string& name, nb::handle value) {
  if (nb::isinstance<Image>(value)) return nb::cast<Image>(value);
  if (nb::isinstance<nb::str>(value)) return nb::cast<std::string>(value);
  if (nb::isinstance<nb::dict>(value)) return FromDict(name, nb::cast<nb::dict>(value));
  if (nb::isinstance<nb::list>(value)) return FromList(name, nb::cast<nb::list>(value));
  if (nb::isinstance<nb::int_>(value)) {
    int64_t integer = 0;
    if (!nb::try_cast(value, integer)) Refuse(name, "the integer does not fit 64 bits");
    return FeatureValue(integer);
  }
  if (nb::isinstance<nb::float_>(value)) return FeatureValue(nb::cast<double>(value));
  return FeatureValue(FromNumpy(name, value));
}

struct ToPython {
  nb::object operator()(const Array& array) const { return ToNumpy(array); }
  nb::object operator()(const Image& image) const { return nb::cast(image); }
  template <typename T>
  nb::object operator()(const T& value) const {
    return nb::cast(value);
  }
};

nb::dict Predict(const FeatureModel& model, const nb::dict& inputs, State* state) {
  FeatureValues given;
  for (const auto& [key, value] : inputs) {
    const auto name = nb::cast<std::string>(key);
    given[name] = FromPython(name, value);
  }
  const FeatureValues outputs = Unwrap(Released([&] { return model.Predict(given, state); }));
  nb::dict result;
  for (const auto& [name, value] : outputs) {
    result[name.c_str()] = std::visit(ToPython{}, value.value);
  }
  return result;
}

}  // namespace

void AddFeatureModel(nb::module_& module) {
  nb::class_<Image>(module, "Image")
      .def("__init__",
           [](Image* image, nb::object pixels) {
             Array borrowed = FromNumpy("pixels", pixels);
             // The image outlives the call, and so must its pixels.
             auto keep = std::make_shared<nb::object>(std::move(pixels));
             const void* data = borrowed.data.get();
             new (image) Image{{borrowed.dtype, borrowed.shape,
                                std::shared_ptr<const void>(std::move(keep), data)}};
           })
      .def("pixels", [](const Image& image) { return ToNumpy(image.pixels); });
  nb::class_<FeatureModel>(module, "FeatureModel")
      .def_static(
          "load",
          [](const std::string& path, const std::string& options) {
            const auto how = Unwrap(ParseOptions<LoadOptions>(options));
            return Unwrap(Released([&] { return FeatureModel::Load(path, how); }));
          },
          "path"_a, "options"_a)
      .def("predict", &Predict, "inputs"_a, "state"_a.none())
      .def("type", &FeatureModel::type)
      .def("inspect_json", &FeatureModel::InspectJson);
  module.def("model_types", &ModelTypesJson);
}

}  // namespace anemone::python
