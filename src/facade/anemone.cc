// The body of the public facade: include/anemone/anemone.h.
#include "anemone/anemone.h"

#include <cstring>
#include <mutex>

#include "base/dtype.h"
#include "exec/backend.h"
#include "exec/session_inputs.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/model_source.h"
#include "facade/save.h"
#include "ir/text.h"
#include "runtime/backends.h"

namespace anemone {
namespace {

Failure ToFailure(const Error& error) {
  return {ExitCode(error.code()), std::string(ErrorCodeName(error.code())), error.message(),
          error.place(), error.advice()};
}

struct NumpyName {
  DType dtype;
  const char* name;
};
constexpr NumpyName kNumpyNames[] = {
    {DType::kFp32, "float32"},  {DType::kFp16, "float16"}, {DType::kFp64, "float64"},
    {DType::kInt64, "int64"},   {DType::kInt32, "int32"},  {DType::kInt16, "int16"},
    {DType::kUInt16, "uint16"}, {DType::kInt8, "int8"},    {DType::kUInt8, "uint8"},
    {DType::kBool, "bool"},
};

std::string NumpyNameOf(DType dtype) {
  for (const NumpyName& row : kNumpyNames) {
    if (row.dtype == dtype) return row.name;
  }
  return std::string(DTypeName(dtype));
}

DType DTypeOfNumpy(const std::string& name) {
  for (const NumpyName& row : kNumpyNames) {
    if (name == row.name) return row.dtype;
  }
  return DType::kInvalid;
}

Result<exec::Tensor> ToTensor(const Array& array, DType wanted) {
  const DType dtype = DTypeOfNumpy(array.dtype);
  if (dtype == DType::kInvalid) return Usage("'{}' is no dtype", array.dtype);
  const DType storage = exec::StorageDType(wanted);
  const size_t size = ByteSize(dtype, ir::ElementCount(array.shape).value_or(-1)).value_or(0);
  if (array.data == nullptr && size != 0) return Usage("the array has no data");
  if (dtype == storage) return exec::Tensor::Copy({dtype, array.shape, array.data.get()});
  ANEMONE_ASSIGN(const ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(dtype, array.shape),
                                        Bytes(array.data.get(), size, array.data)));
  // NumPy users pass int64 and float64 without meaning it; what fits is taken, a fraction for an
  // integer input is not.
  ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(storage, array.shape));
  if (storage == DType::kFp32) {
    const auto values = literal.AsFloats();
    std::memcpy(tensor.As<float>(), values->data(), tensor.size_bytes());
    return tensor;
  }
  const auto values = literal.AsDoubles();
  std::vector<int64_t> integers(values->size());
  for (size_t i = 0; i < integers.size(); ++i) {
    integers[i] = static_cast<int64_t>((*values)[i]);
    if (static_cast<double>(integers[i]) != (*values)[i]) {
      return Usage("{} does not fit an input of {}", (*values)[i], DTypeName(wanted));
    }
  }
  const Bytes packed = ir::PackInts(integers, storage);
  std::memcpy(tensor.As<std::byte>(), packed.data(), packed.size());
  return tensor;
}

Result<Array> ToArray(const exec::Tensor& tensor) {
  ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
  auto keep = std::make_shared<Bytes>(literal.bytes());
  return Array{NumpyNameOf(tensor.dtype()), tensor.shape(),
               std::shared_ptr<const void>(keep, keep->data())};
}

FeatureInfo ToInfo(const ir::Feature& feature) {
  if (const auto* array = feature.array())
    return {feature.name, NumpyNameOf(array->dtype), array->shape};
  if (const auto* image = feature.image()) {
    const bool gray = image->color_space == ir::ImageFeature::ColorSpace::kGrayscale ||
                      image->color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
    return {feature.name, "image", {1, gray ? 1 : 3, image->size.height, image->size.width}};
  }
  return {feature.name, "other", {}};
}

}  // namespace

std::string Failure::ToString() const {
  std::string text = place.empty() ? message : place + ": " + message;
  if (!advice.empty()) text += " (" + advice + ")";
  return text;
}

int64_t Array::count() const { return ir::ElementCount(shape).value_or(0); }
size_t Array::size_bytes() const { return ByteSize(DTypeOfNumpy(dtype), count()).value_or(0); }
Array Array::Float32(std::vector<int64_t> shape, std::vector<float> values) {
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {"float32", std::move(shape), std::shared_ptr<const void>(owner, owner->data())};
}

struct State::Impl {
  exec::State values;
};
State::State() : impl_(std::make_unique<Impl>()) {}
State::~State() = default;
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;

std::map<std::string, Array> State::Read() const {
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : impl_->values) {
    auto copy = exec::Tensor::Copy(tensor.view());
    if (!copy.ok()) continue;
    auto array = ToArray(*copy);
    if (array.ok()) arrays[name] = std::move(array).value();
  }
  return arrays;
}

void State::Write(const std::string& name, const Array& value) {
  const DType dtype = DTypeOfNumpy(value.dtype);
  auto tensor =
      ToTensor(value, dtype == DType::kFp16 || dtype == DType::kFp64 ? DType::kFp32 : dtype);
  if (tensor.ok()) impl_->values[name] = std::move(tensor).value();
}

struct Model::Impl {
  std::shared_ptr<ir::Model> model;
  std::string name;
  anemone::LoadOptions options;
  // Idle sessions; each serves one prediction at a time.
  std::mutex mutex;
  std::vector<std::unique_ptr<exec::Session>> idle;

  const ir::FunctionDescription* description() const {
    return options.function.empty() ? model->main() : model->FindFunction(options.function);
  }

  Result<std::unique_ptr<exec::Session>> Take() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!idle.empty()) {
        auto session = std::move(idle.back());
        idle.pop_back();
        return session;
      }
    }
    ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(options.backend));
    exec::LoadOptions load;
    load.function = options.function;
    load.threads = options.threads;
    if (options.numerics == "float32") {
      load.numerics = exec::Numerics::kFloat32;
    } else if (options.numerics == "float16") {
      load.numerics = exec::Numerics::kFloat16;
    } else if (options.numerics != "as_typed") {
      return Usage("unknown numerics '{}'", options.numerics)
          .Advise("choose as_typed, float32 or float16");
    }
    return backend->Load(model, load).At(name);
  }

  void Return(std::unique_ptr<exec::Session> session) {
    const std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(session));
  }

  Result<std::map<std::string, Array>> Predict(const std::map<std::string, Array>& arrays,
                                               exec::State* state) {
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    std::map<std::string, exec::Tensor> inputs;
    for (const auto& [key, array] : arrays) {
      DType wanted = DType::kInvalid;
      for (const auto& input : function->inputs()) {
        if (input->name == key) wanted = input->type.dtype();
      }
      if (wanted == DType::kInvalid) {
        std::string names;
        for (const auto& input : function->inputs())
          names += (names.empty() ? "" : ", ") + input->name;
        return Usage("the model has no input '{}'", key).Advise("it has " + names);
      }
      ANEMONE_ASSIGN(inputs[key], ToTensor(array, wanted).At("input " + key));
    }
    ANEMONE_ASSIGN(auto session, Take());
    auto outputs = session->Run(inputs, state, nullptr);
    Return(std::move(session));
    if (!outputs.ok()) return std::move(outputs).At(name).error();
    std::map<std::string, Array> results;
    for (const auto& [key, tensor] : *outputs) {
      ANEMONE_ASSIGN(results[key], ToArray(tensor));
    }
    return results;
  }
};

Expected<Model> Model::Load(const std::string& model, const LoadOptions& options) {
  facade::ModelSource source;
  source.model = model;
  source.weights = options.weights;
  source.seed = options.seed;
  for (const auto& [name, shape] : options.input_shapes) source.input_shapes[name] = shape;
  const auto target = facade::ParseDeploymentTarget(options.minimum_deployment_target);
  if (!target.ok()) return ToFailure(target.error());
  source.target = *target;
  auto loaded = facade::LoadModel(source);
  if (!loaded.ok()) return ToFailure(loaded.error());
  auto impl = std::make_shared<Impl>();
  impl->model = std::move(loaded->model);
  impl->name = loaded->name;
  impl->options = options;
  if (!options.function.empty()) {
    const auto function = exec::ChooseFunction(*impl->model, options.function);
    if (!function.ok()) return ToFailure(function.error());
  }
  return Model(std::move(impl));
}

std::vector<FeatureInfo> Model::inputs() const {
  std::vector<FeatureInfo> infos;
  if (const auto* description = impl_->description()) {
    for (const auto& feature : description->inputs) infos.push_back(ToInfo(feature));
  }
  return infos;
}

std::vector<FeatureInfo> Model::outputs() const {
  std::vector<FeatureInfo> infos;
  if (const auto* description = impl_->description()) {
    for (const auto& feature : description->outputs) infos.push_back(ToInfo(feature));
  }
  return infos;
}

Expected<std::map<std::string, Array>> Model::Predict(const std::map<std::string, Array>& inputs,
                                                      State* state) const {
  auto outputs = impl_->Predict(inputs, state != nullptr ? &state->impl_->values : nullptr);
  if (!outputs.ok()) return ToFailure(outputs.error());
  return std::move(outputs).value();
}

Expected<Model> Model::Convert(const ConvertOptions& options) const {
  facade::ConvertOptions internal;
  const auto target = facade::ParseDeploymentTarget(options.minimum_deployment_target);
  if (!target.ok()) return ToFailure(target.error());
  internal.target = *target;
  if (options.compute_precision == "float16") {
    internal.precision = facade::Precision::kFloat16;
  } else if (options.compute_precision != "float32") {
    return ToFailure(Usage("unknown compute precision '{}'", options.compute_precision)
                         .Advise("choose float32 or float16"));
  }
  internal.keep_float32 = options.keep_float32;
  auto impl = std::make_shared<Impl>();
  impl->model = std::make_shared<ir::Model>(facade::CloneModel(*impl_->model));
  impl->name = impl_->name;
  impl->options = impl_->options;
  const Status status = facade::Convert(*impl->model, internal);
  if (!status.ok()) return ToFailure(status.error());
  return Model(std::move(impl));
}

Expected<Model> Model::Compress(const CompressOptions& options) const {
  facade::CompressOptions internal;
  internal.mode = options.mode;
  internal.dtype = options.dtype;
  internal.granularity = options.granularity;
  internal.weight_threshold = options.weight_threshold;
  auto impl = std::make_shared<Impl>();
  impl->model = std::make_shared<ir::Model>(facade::CloneModel(*impl_->model));
  impl->name = impl_->name;
  impl->options = impl_->options;
  const Status status = facade::Compress(*impl->model, internal);
  if (!status.ok()) return ToFailure(status.error());
  return Model(std::move(impl));
}

std::optional<Failure> Model::Save(const std::string& path) const {
  const Status status = facade::Save(*impl_->model, path);
  if (status.ok()) return std::nullopt;
  return ToFailure(status.error());
}

Expected<std::string> Model::InspectJson(bool operators, bool weights) const {
  const auto summary = facade::Inspect(*impl_->model, impl_->options.function);
  if (!summary.ok()) return ToFailure(summary.error());
  return facade::InspectJson(*impl_->model, *summary, impl_->name, operators, weights);
}

std::string Model::Text() const { return ir::PrintText(impl_->model->program); }

std::string Version() { return ANEMONE_VERSION; }

}  // namespace anemone
