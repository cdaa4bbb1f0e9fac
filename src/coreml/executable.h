// One loaded MLModel as an exec::Executable. Objective-C++ only.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "coreml/arrays.h"
#include "coreml/compiled_model.h"
#include "coreml/features.h"
#include "coreml/images.h"
#include "coreml/labels.h"
#include "coreml/objc.h"
#include "exec/backend.h"

namespace anemone::coreml {

class CoreMlExecutable : public exec::Executable {
 public:
  CoreMlExecutable(std::shared_ptr<const ir::Model> model, Border border, LoadedModel loaded);
  ~CoreMlExecutable() override;

  Result<std::map<std::string, exec::Tensor>> Run(const std::map<std::string, exec::Tensor>& inputs,
                                                  exec::State* state,
                                                  const exec::Tracer* tracer) override;
  Status RunBound(std::span<const exec::BoundInput> inputs,
                  std::span<const exec::BoundOutput> outputs, exec::State* state,
                  const exec::Tracer* tracer) override;
  int64_t working_memory_bytes() const override;

 private:
  // One input or output between calls.
  struct Port {
    const BorderFeature* feature = nullptr;
    Strong<NSString*> name;
    std::vector<Half> halves;  // of an fp16 feature
    PixelBuffer pixels;        // of an image input
    // The memory that the current array wraps; a new array is made when it changes.
    const void* bound = nullptr;
    ir::Shape bound_shape = {};
    Strong<MLMultiArray*> array;
  };

  // Checks the given inputs; reports all problems at once.
  Status CheckInputs(std::span<const exec::BoundInput> inputs) const;
  // Binds one input or output to the caller's memory; sets `changed` when its object is replaced.
  Status BindInput(Port& port, const exec::ConstTensor& tensor, bool* changed);
  Status BindOutput(Port& port, const exec::MutableTensor& tensor, bool* changed);
  Status BindArray(Port& port, void* data, const ir::Shape& shape, bool* changed);
  Status MakeProvider();
  Status MakeOptions();
  Result<Strong<MLState*>> MakeState(const exec::State* state);
  Status TakeState(MLState* from, exec::State* state);
  Result<id<MLFeatureProvider>> Predict(MLState* state);
  // Predicts, and again without output backings if they may be why it failed.
  Result<id<MLFeatureProvider>> PredictOrUnbind(const exec::State* given, Strong<MLState*>* state);
  Status TakeOutput(Port& port, id<MLFeatureProvider> results, const exec::MutableTensor& to);
  // The shape of an output in `results`, checked against its declared type.
  Result<ir::Shape> ShapeOfOutput(const Port& port, id<MLFeatureProvider> results) const;
  static Port* FindPort(std::vector<Port>& ports, std::string_view name);
  // Binds, predicts, passes the results to take(results), and keeps the state; all in one pool.
  template <typename Take>
  Status Call(std::span<const exec::BoundInput> inputs, std::span<const exec::BoundOutput> outputs,
              exec::State* state, Take take);

  std::shared_ptr<const ir::Model> model_;
  Border border_;
  enum class Backings : uint8_t { kUntried, kTaken, kRefused };
  Backings backings_ = Backings::kUntried;
  Labels labels_;  // of a classifier
  LoadedModel loaded_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  Strong<MLDictionaryFeatureProvider*> provider_;
  Strong<MLPredictionOptions*> options_;
};

}  // namespace anemone::coreml
