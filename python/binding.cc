// The Python binding: converts NumPy arrays and exceptions, releases the GIL while the library
// works, and does nothing else. Options come as JSON texts. Everything it calls is in
// include/anemone/.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "anemone/model.h"
#include "anemone/session.h"
#include "failure.h"
#include "feature_binding.h"
#include "released.h"
#include "tools_binding.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

using anemone::python::FailureException;
using anemone::python::Released;
using anemone::python::ToNumpy;
using anemone::python::Unwrap;
using InputArray = nb::ndarray<nb::c_contig, nb::device::cpu, nb::ro>;

void Translate(const std::exception_ptr& pending, void*) {
  try {
    std::rethrow_exception(pending);
  } catch (const FailureException& exception) {
    const anemone::Failure& failure = exception.failure;
    nb::object type = nb::module_::import_("anemone._errors").attr("Error");
    nb::object error =
        type(failure.message, failure.code, failure.exit_code, failure.place, failure.advice);
    PyErr_SetObject(type.ptr(), error.ptr());
  }
}

struct DTypeRow {
  nb::dlpack::dtype dlpack;
  const char* name;
};
DTypeRow RowOf(nb::dlpack::dtype_code code, uint8_t bits, const char* name) {
  return {{static_cast<uint8_t>(code), bits, 1}, name};
}
const std::vector<DTypeRow>& Rows() {
  using Code = nb::dlpack::dtype_code;
  static const std::vector<DTypeRow> rows{
      RowOf(Code::Float, 32, "float32"), RowOf(Code::Float, 16, "float16"),
      RowOf(Code::Float, 64, "float64"), RowOf(Code::Int, 64, "int64"),
      RowOf(Code::Int, 32, "int32"),     RowOf(Code::Int, 16, "int16"),
      RowOf(Code::UInt, 16, "uint16"),   RowOf(Code::Int, 8, "int8"),
      RowOf(Code::UInt, 8, "uint8"),     RowOf(Code::Bool, 8, "bool"),
  };
  return rows;
}

anemone::Array FromNumpy(const std::string& name, const InputArray& array) {
  for (const DTypeRow& row : Rows()) {
    if (!(row.dlpack == array.dtype())) continue;
    anemone::Array result;
    result.dtype = row.name;
    for (size_t i = 0; i < array.ndim(); ++i)
      result.shape.push_back(static_cast<int64_t>(array.shape(i)));
    // The caller holds the array until the call returns.
    result.data = std::shared_ptr<const void>(std::shared_ptr<void>(), array.data());
    return result;
  }
  throw FailureException{{2, "usage", "the array has a dtype that is not supported",
                          "input " + name,
                          "use float32, float16, int32, int16, int8, uint8, uint16 or bool"}};
}

using Arrays = std::map<std::string, anemone::Array>;

Arrays FromNumpy(const std::map<std::string, InputArray>& inputs) {
  Arrays arrays;
  for (const auto& [name, array] : inputs) arrays[name] = FromNumpy(name, array);
  return arrays;
}

nb::object ClassName(const anemone::Classes& classes, size_t index) {
  const std::string& name = classes.names.at(index);
  if (!classes.integers) return nb::cast(name);
  int64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return nb::cast(number);
}

// As coremltools has it: a classifier's label by name, its probabilities as a dict by label.
nb::dict ToNumpy(const Arrays& arrays, const std::optional<anemone::Classes>& classes) {
  nb::dict result;
  for (const auto& [name, array] : arrays) {
    if (classes && name == classes->label) {
      const auto index = *static_cast<const int32_t*>(array.data.get());
      result[name.c_str()] = ClassName(*classes, static_cast<size_t>(index));
    } else if (classes && name == classes->probabilities) {
      const auto* values = static_cast<const float*>(array.data.get());
      nb::dict probabilities;
      for (size_t i = 0; i < classes->names.size(); ++i) {
        probabilities[ClassName(*classes, i)] = static_cast<double>(values[i]);
      }
      result[name.c_str()] = probabilities;
    } else {
      result[name.c_str()] = ToNumpy(array);
    }
  }
  return result;
}

// On the thread that predicts: lets Python call the handlers of signals that have arrived, which it
// does on its main thread only. What a handler raised stays pending until the call returns.
bool Interrupted() {
  const nb::gil_scoped_acquire lock;
  return PyErr_CheckSignals() != 0;
}

nb::dict Predict(const anemone::Model& model, const std::map<std::string, InputArray>& inputs,
                 anemone::State* state) {
  const Arrays arrays = FromNumpy(inputs);
  const auto outputs = Unwrap(Released([&] { return model.Predict(arrays, state); }));
  return ToNumpy(outputs, model.classes());
}

nb::dict ToDict(const anemone::CallReport& report) {
  nb::dict result;
  result["backend"] = report.backend;
  result["compute_units"] = report.compute_units;
  result["planned_unit"] = report.planned_unit;
  result["observed_unit"] = report.observed_unit;
  result["attempts"] = report.attempts;
  result["fallback_reason"] = report.fallback_reason;
  result["fallback_unix_ns"] = report.fallback_unix_ns;
  result["circuit_state"] = report.circuit_state;
  result["experimental"] = report.experimental;
  result["duration_ns"] = report.duration_ns;
  return result;
}

nb::tuple Serve(const anemone::Session& session, const std::map<std::string, InputArray>& inputs,
                anemone::State* state) {
  const Arrays arrays = FromNumpy(inputs);
  anemone::CallReport report;
  const auto outputs = Unwrap(Released([&] { return session.Predict(arrays, state, &report); }));
  return nb::make_tuple(ToNumpy(outputs, session.classes()), ToDict(report));
}

std::string StateName(nb::handle name) {
  std::string text;
  if (nb::try_cast(name, text)) return text;
  throw FailureException{{2, "usage", "the name of a state is text", "state", "give its name"}};
}

// In the order of anemone.Feature's fields.
nb::list Features(const std::vector<anemone::FeatureInfo>& features) {
  nb::list result;
  for (const auto& feature : features) {
    result.append(nb::make_tuple(feature.name, feature.dtype, nb::tuple(nb::cast(feature.shape)),
                                 feature.color, feature.optional));
  }
  return result;
}

}  // namespace

namespace anemone::python {

Array FromNumpy(const std::string& name, nb::handle array) {
  InputArray input;
  if (!nb::try_cast(array, input)) {
    throw FailureException{{2, "usage", "it is not a value that a model takes",
                            "input '" + name + "'",
                            "give a number, a text, a dict, a list, an array or an image"}};
  }
  return ::FromNumpy(name, input);
}

nb::object ToNumpy(const Array& array) {
  for (const DTypeRow& row : Rows()) {
    if (array.dtype != row.name) continue;
    auto* keep = new Array(array);
    const nb::capsule owner(keep,
                            [](void* pointer) noexcept { delete static_cast<Array*>(pointer); });
    std::vector<size_t> shape(array.shape.begin(), array.shape.end());
    nb::ndarray<nb::numpy> view(const_cast<void*>(array.data.get()), shape.size(), shape.data(),
                                owner, nullptr, row.dlpack);
    return nb::cast(view);
  }
  throw FailureException{{70, "internal", "an output has the dtype " + array.dtype, "", ""}};
}

}  // namespace anemone::python

NB_MODULE(_anemone, module) {
  nb::register_exception_translator(Translate);
  anemone::SetInterruptCheck(Interrupted);

  nb::class_<anemone::State>(module, "State")
      .def(nb::init<>())
      .def("read", [](const anemone::State& state,
                      nb::handle name) { return ToNumpy(Unwrap(state.Read(StateName(name)))); })
      .def("write", [](anemone::State& state, nb::handle name, nb::handle value) {
        InputArray array;
        if (!nb::try_cast(value, array)) {
          throw FailureException{{2, "usage", "a state's value is an array of numbers",
                                  "state " + StateName(name), "give a NumPy array"}};
        }
        if (auto failure = state.Write(StateName(name), FromNumpy(StateName(name), array))) {
          throw FailureException{*failure};
        }
      });

  nb::class_<anemone::Model>(module, "Model")
      .def_static(
          "load",
          [](const std::string& path, const std::string& options) {
            const auto how = Unwrap(anemone::ParseOptions<anemone::LoadOptions>(options));
            return Unwrap(Released([&] { return anemone::Model::Load(path, how); }));
          },
          "path"_a, "options"_a)
      .def("predict", &Predict, "inputs"_a, "state"_a.none())
      .def("inputs", [](const anemone::Model& model) { return Features(model.inputs()); })
      .def("outputs", [](const anemone::Model& model) { return Features(model.outputs()); })
      .def("states", [](const anemone::Model& model) { return Features(model.states()); })
      .def("make_state", [](const anemone::Model& model) { return Unwrap(model.MakeState()); })
      .def("convert",
           [](const anemone::Model& model, const std::string& options) {
             const auto how = Unwrap(anemone::ParseOptions<anemone::ConvertOptions>(options));
             return Unwrap(Released([&] { return model.Convert(how); }));
           })
      .def("compress",
           [](const anemone::Model& model, const std::string& options) {
             const auto how = Unwrap(anemone::ParseOptions<anemone::CompressOptions>(options));
             return Unwrap(Released([&] { return model.Compress(how); }));
           })
      .def("save",
           [](const anemone::Model& model, const std::string& path) {
             const auto failure = Released([&] { return model.Save(path); });
             if (failure) throw FailureException{*failure};
           })
      .def("inspect_json",
           [](const anemone::Model& model, bool operators, bool weights) {
             return Unwrap(Released([&] { return model.InspectJson(operators, weights); }));
           })
      .def("placement_json",
           [](const anemone::Model& model, const std::string& chip, const std::string& units) {
             return Unwrap(Released([&] { return model.PlacementJson(chip, units); }));
           })
      .def("notes", &anemone::Model::notes)
      .def("structure_json", &anemone::Model::StructureJson)
      .def("text", &anemone::Model::Text);

  nb::class_<anemone::Session>(module, "Session")
      .def_static(
          "open",
          [](const anemone::Model& model, const std::string& options) {
            const auto how = Unwrap(anemone::ParseOptions<anemone::SessionOptions>(options));
            return Unwrap(Released([&] { return anemone::Session::Open(model, how); }));
          },
          "model"_a, "options"_a)
      .def("predict", &Serve, "inputs"_a, "state"_a.none())
      .def("state", &anemone::Session::state)
      .def("wait_ready",
           [](const anemone::Session& session, int64_t timeout_ms) {
             return Released([&] { return session.WaitReady(timeout_ms); });
           })
      .def("telemetry_json", &anemone::Session::TelemetryJson)
      .def("should_fall_back_to_cpu", &anemone::Session::ShouldFallBackToCpu);

  module.def("version", &anemone::Version);
  anemone::python::AddFeatureModel(module);
  anemone::python::AddTools(module);
  module.def("option_tables", &anemone::OptionTablesJson);
}
