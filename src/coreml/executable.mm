#include "coreml/executable.h"

#include <algorithm>

#include "base/dtype.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;

Error Missing(const std::string& name) {
  return exec::Failure(FailureKind::kSchemaMismatch,
                       fmt::format("Core ML returned no output '{}'", name));
}

Status NoTracing(const exec::Tracer* tracer) {
  if (tracer == nullptr || !tracer->values) return {};
  return Unsupported("Core ML does not show the values of single operations")
      .Advise("use --backend cpu");
}

// A scalar of the program may be given as [1], as in Core ML.
bool Fits(const ir::Type& type, const ir::Shape& shape) {
  return ir::IsCompatible(ir::Type::Tensor(type.dtype(), shape), type) ||
         (type.is_scalar() && shape == ir::Shape{1});
}

}  // namespace

CoreMlExecutable::CoreMlExecutable(std::shared_ptr<const ir::Model> model, Border border,
                                   LoadedModel loaded)
    : model_(std::move(model)), border_(std::move(border)), loaded_(std::move(loaded)) {
  @autoreleasepool {
    for (const auto& [features, ports] :
         {std::pair(&border_.inputs, &inputs_), std::pair(&border_.outputs, &outputs_)}) {
      for (const BorderFeature& feature : *features) {
        Port& port = ports->emplace_back();
        port.feature = &feature;
        port.name = Strong<NSString*>(NsText(feature.name));
      }
    }
    if (border_.classes) labels_ = Labels(*border_.classes);
  }
}

CoreMlExecutable::~CoreMlExecutable() {
  // Objects that a dying model autoreleases must not land in the caller's pool.
  const Status ignored = Pooled(FailureKind::kRuntimeError, [&]() -> Status {
    inputs_.clear();
    outputs_.clear();
    provider_ = {};
    options_ = {};
    labels_ = {};
    loaded_.model = {};
    return {};
  });
}

int64_t CoreMlExecutable::working_memory_bytes() const {
  size_t bytes = 0;
  for (const auto* ports : {&inputs_, &outputs_}) {
    for (const Port& port : *ports) bytes += port.halves.size() * sizeof(Half);
  }
  return static_cast<int64_t>(bytes);
}

Status CoreMlExecutable::CheckInputs(std::span<const exec::BoundInput> inputs) const {
  std::string problems;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const BorderFeature& feature : border_.inputs) {
    const auto found = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const auto& input) { return input.name == feature.name; });
    if (found == inputs.end()) {
      add(fmt::format("input '{}' ({}) is not given", feature.name, feature.type.ToString()));
    } else if (found->tensor.dtype != exec::StorageDType(feature.type.dtype()) ||
               !Fits(feature.type, found->tensor.shape)) {
      add(fmt::format("input '{}' takes {}, but is given {} {}", feature.name,
                      feature.type.ToString(), DTypeName(found->tensor.dtype),
                      ir::ShapeToString(found->tensor.shape)));
    }
  }
  for (const exec::BoundInput& input : inputs) {
    if (border_.FindInput(input.name) == nullptr)
      add(fmt::format("the model has no input '{}'", input.name));
  }
  if (!problems.empty()) return Usage("{}", problems);
  return {};
}

Status CoreMlExecutable::BindArray(Port& port, void* data, const ir::Shape& shape, bool* changed) {
  if (port.array && port.bound == data && port.bound_shape == shape) return {};
  ANEMONE_ASSIGN(MLMultiArray * array, ArrayOver(data, port.feature->dtype, ArrayShape(shape)));
  port.array = Strong<MLMultiArray*>(array);
  port.bound = data;
  port.bound_shape = shape;
  *changed = true;
  return {};
}

Status CoreMlExecutable::BindInput(Port& port, const exec::ConstTensor& tensor, bool* changed) {
  if (port.feature->image) {
    if (port.pixels.get() == nullptr || port.bound_shape != tensor.shape) {
      ANEMONE_ASSIGN(port.pixels, MakePixelBuffer(port.feature->image->color_space, tensor.shape));
      port.bound_shape = tensor.shape;
      *changed = true;
    }
    return FillPixels(port.feature->image->color_space, tensor, port.pixels.get());
  }
  if (port.feature->dtype != DType::kFp16) {
    // Core ML only reads it.
    return BindArray(port, const_cast<void*>(tensor.data), tensor.shape, changed);
  }
  const auto count = static_cast<size_t>(tensor.count());
  port.halves.resize(count);
  FloatToHalf({tensor.As<float>(), count}, port.halves);
  return BindArray(port, port.halves.data(), tensor.shape, changed);
}

Status CoreMlExecutable::BindOutput(Port& port, const exec::MutableTensor& tensor, bool* changed) {
  if (port.feature->kind != BorderFeature::Kind::kArray) return {};
  if (port.feature->dtype != DType::kFp16) {
    return BindArray(port, tensor.data, tensor.shape, changed);
  }
  port.halves.resize(static_cast<size_t>(tensor.count()));
  return BindArray(port, port.halves.data(), tensor.shape, changed);
}

Status CoreMlExecutable::MakeProvider() {
  NSMutableDictionary* values = [NSMutableDictionary dictionaryWithCapacity:inputs_.size()];
  for (const Port& port : inputs_) {
    MLFeatureValue* value = port.feature->image
                                ? [MLFeatureValue featureValueWithPixelBuffer:port.pixels.get()]
                                : [MLFeatureValue featureValueWithMultiArray:port.array.get()];
    [values setObject:value forKey:port.name.get()];
  }
  NSError* error = nil;
  MLDictionaryFeatureProvider* provider =
      [[[MLDictionaryFeatureProvider alloc] initWithDictionary:values error:&error] autorelease];
  if (provider == nil) return ErrorOf(FailureKind::kRuntimeError, error);
  provider_ = Strong<MLDictionaryFeatureProvider*>(provider);
  return {};
}

Status CoreMlExecutable::MakeOptions() {
  MLPredictionOptions* options = [[[MLPredictionOptions alloc] init] autorelease];
  NSMutableDictionary* backings = [NSMutableDictionary dictionaryWithCapacity:outputs_.size()];
  for (const Port& port : outputs_) {
    if (port.array) [backings setObject:port.array.get() forKey:port.name.get()];
  }
  options.outputBackings = backings;
  options_ = Strong<MLPredictionOptions*>(options);
  return {};
}

Result<Strong<MLState*>> CoreMlExecutable::MakeState(const exec::State* state) {
  Strong<MLState*> made;
  if (border_.states.empty()) return made;
#if ANEMONE_SDK(150000)
  if (@available(macOS 15.0, iOS 18.0, *)) {
    MLState* object = [[loaded_.model.get() newState] autorelease];
    if (object == nil)
      return exec::Failure(FailureKind::kRuntimeError, "Core ML did not make a state");
    made = Strong<MLState*>(object);
    for (const BorderFeature& feature : border_.states) {
      if (state == nullptr) break;
      const auto found = state->find(feature.name);
      if (found == state->end()) continue;
      if (found->second.shape() != feature.type.shape()) {
        return Usage("state '{}' is {}, but was given as {}", feature.name, feature.type.ToString(),
                     ir::ShapeToString(found->second.shape()));
      }
      Status status;
      Status* out = &status;  // the block runs before the call returns
      const exec::ConstTensor view = found->second.view();
      const exec::ConstTensor* from = &view;
      [object getMultiArrayForStateNamed:NsText(feature.name)
                                 handler:^(MLMultiArray* buffer) {
                                   *out = CopyIn(*from, buffer);
                                 }];
      ANEMONE_TRY(std::move(status).At("state " + feature.name));
    }
    return made;
  }
#endif
  return Unavailable("models with states need macOS 15 or iOS 18");
}

Status CoreMlExecutable::TakeState(MLState* from, exec::State* state) {
#if ANEMONE_SDK(150000)
  if (@available(macOS 15.0, iOS 18.0, *)) {
    exec::State taken;
    for (const BorderFeature& feature : border_.states) {
      const DType dtype = exec::StorageDType(feature.type.dtype());
      ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(dtype, feature.type.shape()));
      Status status;
      Status* out = &status;
      const exec::MutableTensor* to = &tensor.mutable_view();
      [from getMultiArrayForStateNamed:NsText(feature.name)
                               handler:^(MLMultiArray* buffer) {
                                 *out = CopyOut(buffer, *to);
                               }];
      ANEMONE_TRY(std::move(status).At("state " + feature.name));
      taken[feature.name] = std::move(tensor);
    }
    for (auto& [name, tensor] : taken) (*state)[name] = std::move(tensor);
  }
#endif
  return {};
}

Result<id<MLFeatureProvider>> CoreMlExecutable::Predict(MLState* state) {
  NSError* error = nil;
  id<MLFeatureProvider> results = nil;
  if (state == nil) {
    results = [loaded_.model.get() predictionFromFeatures:provider_.get()
                                                  options:options_.get()
                                                    error:&error];
  }
#if ANEMONE_SDK(150000)
  if (@available(macOS 15.0, iOS 18.0, *)) {
    if (state != nil) {
      results = [loaded_.model.get() predictionFromFeatures:provider_.get()
                                                 usingState:state
                                                    options:options_.get()
                                                      error:&error];
    }
  }
#endif
  if (results == nil) return ErrorOf(FailureKind::kRuntimeError, error);
  return results;
}

Result<id<MLFeatureProvider>> CoreMlExecutable::PredictOrUnbind(const exec::State* given,
                                                                Strong<MLState*>* state) {
  const bool backed = [[options_.get() outputBackings] count] > 0;
  auto results = Predict(state->get());
  if (results.ok()) {
    if (backed) backings_ = Backings::kTaken;
    return results;
  }
  // Some configurations take no backings at all. One more try distinguishes those from other
  // failures; a model that has taken backings once is not retried.
  if (!backed || backings_ != Backings::kUntried) return results;
  backings_ = Backings::kRefused;
  for (Port& port : outputs_) port.array = {};
  ANEMONE_TRY(MakeOptions());
  ANEMONE_ASSIGN(*state, MakeState(given));
  auto again = Predict(state->get());
  if (again.ok()) return again;
  backings_ = Backings::kUntried;
  options_ = {};
  return results;
}

Result<ir::Shape> CoreMlExecutable::ShapeOfOutput(const Port& port,
                                                  id<MLFeatureProvider> results) const {
  MLMultiArray* array = [[results featureValueForName:port.name.get()] multiArrayValue];
  if (array == nil) return Missing(port.feature->name);
  ir::Shape shape = ShapeOf([array shape]);
  if (port.feature->type.is_scalar() && shape == ir::Shape{1}) shape = {};
  if (!ir::IsCompatible(ir::Type::Tensor(port.feature->type.dtype(), shape), port.feature->type)) {
    return exec::Failure(
        FailureKind::kSchemaMismatch,
        fmt::format("output '{}' is declared {}, but Core ML returned {}", port.feature->name,
                    port.feature->type.ToString(), ir::ShapeToString(shape)));
  }
  return shape;
}

Status CoreMlExecutable::TakeOutput(Port& port, id<MLFeatureProvider> results,
                                    const exec::MutableTensor& to) {
  MLFeatureValue* value = [results featureValueForName:port.name.get()];
  if (value == nil) return Missing(port.feature->name);
  if (port.feature->image) {
    return ReadPixels(port.feature->image->color_space, [value imageBufferValue], to)
        .At("output " + port.feature->name);
  }
  if (port.feature->kind == BorderFeature::Kind::kLabel) {
    ANEMONE_ASSIGN(*to.As<int32_t>(), labels_.IndexOf(value).At("output " + port.feature->name));
    return {};
  }
  if (port.feature->kind == BorderFeature::Kind::kProbabilities) {
    return labels_.Probabilities(value, to).At("output " + port.feature->name);
  }
  MLMultiArray* array = [value multiArrayValue];
  if (array == nil) return Missing(port.feature->name);
  if (array == port.array.get()) {  // written in place
    if (port.feature->dtype == DType::kFp16) {
      HalfToFloat(port.halves, {to.As<float>(), port.halves.size()});
    }
    return {};
  }
  ANEMONE_ASSIGN(const ir::Shape shape, ShapeOfOutput(port, results));
  if (shape != to.shape) {
    return Usage("output '{}' is {}, but its memory is bound as {}", port.feature->name,
                 ir::ShapeToString(shape), ir::ShapeToString(to.shape));
  }
  return CopyOut(array, to).At("output " + port.feature->name);
}

CoreMlExecutable::Port* CoreMlExecutable::FindPort(std::vector<Port>& ports,
                                                   std::string_view name) {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const Port& port) { return port.feature->name == name; });
  return found == ports.end() ? nullptr : &*found;
}

template <typename Take>
Status CoreMlExecutable::Call(std::span<const exec::BoundInput> inputs,
                              std::span<const exec::BoundOutput> outputs, exec::State* state,
                              Take take) {
  return Pooled(FailureKind::kRuntimeError, [&]() -> Status {
    bool inputs_changed = !provider_;
    for (const exec::BoundInput& input : inputs) {
      ANEMONE_TRY(BindInput(*FindPort(inputs_, input.name), input.tensor, &inputs_changed));
    }
    if (inputs_changed) ANEMONE_TRY(MakeProvider());

    bool outputs_changed = !options_;
    for (Port& port : outputs_) {
      const auto bound = std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) {
        return output.name == port.feature->name;
      });
      // A result whose shape only Core ML knows cannot be backed.
      if (backings_ != Backings::kRefused && bound != outputs.end() &&
          port.feature->type.is_static()) {
        ANEMONE_TRY(BindOutput(port, bound->tensor, &outputs_changed));
      } else if (port.array) {
        port.array = {};
        outputs_changed = true;
      }
    }
    if (outputs_changed) ANEMONE_TRY(MakeOptions());

    ANEMONE_ASSIGN(Strong<MLState*> ml_state, MakeState(state));
    ANEMONE_ASSIGN(const id<MLFeatureProvider> results, PredictOrUnbind(state, &ml_state));
    ANEMONE_TRY(take(results));
    if (state != nullptr && ml_state) ANEMONE_TRY(TakeState(ml_state.get(), state));
    return {};
  });
}

Status CoreMlExecutable::RunBound(std::span<const exec::BoundInput> inputs,
                                  std::span<const exec::BoundOutput> outputs, exec::State* state,
                                  const exec::Tracer* tracer) {
  ANEMONE_TRY(NoTracing(tracer));
  ANEMONE_TRY(CheckInputs(inputs));
  for (const exec::BoundOutput& output : outputs) {
    const BorderFeature* feature = border_.FindOutput(output.name);
    if (feature == nullptr) return Usage("the model has no output '{}'", output.name);
    if (output.tensor.dtype != exec::StorageDType(feature->type.dtype()) ||
        !Fits(feature->type, output.tensor.shape)) {
      return Usage("output '{}' is {}, but its memory is bound as {} {}", output.name,
                   feature->type.ToString(), DTypeName(output.tensor.dtype),
                   ir::ShapeToString(output.tensor.shape));
    }
  }
  return Call(inputs, outputs, state, [&](id<MLFeatureProvider> results) -> Status {
    for (const exec::BoundOutput& output : outputs) {
      ANEMONE_TRY(TakeOutput(*FindPort(outputs_, output.name), results, output.tensor));
    }
    return {};
  });
}

Result<std::map<std::string, exec::Tensor>> CoreMlExecutable::Run(
    const std::map<std::string, exec::Tensor>& inputs, exec::State* state,
    const exec::Tracer* tracer) {
  ANEMONE_TRY(NoTracing(tracer));
  std::vector<exec::BoundInput> given;
  for (const auto& [name, tensor] : inputs) given.push_back({name, tensor.view()});
  ANEMONE_TRY(CheckInputs(given));
  std::map<std::string, exec::Tensor> tensors;
  std::vector<exec::BoundOutput> bound;
  for (const BorderFeature& feature : border_.outputs) {
    if (!feature.type.is_static()) continue;
    exec::Tensor& tensor = tensors[feature.name];
    ANEMONE_ASSIGN(tensor, exec::Tensor::Allocate(exec::StorageDType(feature.type.dtype()),
                                                  feature.type.shape()));
    bound.push_back({feature.name, tensor.mutable_view()});
  }
  ANEMONE_TRY(Call(given, bound, state, [&](id<MLFeatureProvider> results) -> Status {
    for (Port& port : outputs_) {
      exec::Tensor& tensor = tensors[port.feature->name];
      if (!port.feature->type.is_static()) {
        ANEMONE_ASSIGN(ir::Shape shape, ShapeOfOutput(port, results));
        ANEMONE_ASSIGN(tensor,
                       exec::Tensor::Allocate(exec::StorageDType(port.feature->type.dtype()),
                                              std::move(shape)));
      }
      ANEMONE_TRY(TakeOutput(port, results, tensor.mutable_view()));
    }
    return {};
  }));
  return tensors;
}

}  // namespace anemone::coreml
