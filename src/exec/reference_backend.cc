#include "exec/reference_backend.h"

#include "base/clock.h"
#include "exec/classifier.h"
#include "exec/function_inputs.h"
#include "exec/interpreter.h"

namespace anemone::exec {
namespace {

class ReferenceExecutable : public Executable {
 public:
  ReferenceExecutable(std::shared_ptr<const ir::Model> model, const ir::Function& function)
      : model_(std::move(model)), function_(function) {}

  Result<std::map<std::string, Tensor>> Run(const std::map<std::string, Tensor>& inputs,
                                            State* state, const Tracer* tracer) override {
    ANEMONE_TRY(CheckInputs(function_, BindAll(inputs)));
    InterpretOptions options;
    const int64_t start_ns = NowNs();
    int64_t previous_ns = 0;
    if (tracer != nullptr && tracer->on_operation) {
      options.observe = [&](const ir::Operation& operation, const std::vector<Tensor>& outputs) {
        const int64_t now_ns = NowNs() - start_ns;
        std::vector<ConstTensor> views;
        for (const Tensor& output : outputs) views.push_back(output.view());
        TraceEvent event;
        event.operation = &operation;
        event.kernel = "reference";
        event.begin_ns = previous_ns;
        event.duration_ns = now_ns - previous_ns;
        event.outputs = views;
        tracer->on_operation(event);
        previous_ns = NowNs() - start_ns;
      };
    }
    State local;
    ANEMONE_ASSIGN(auto outputs,
                   Interpret(function_, inputs, state != nullptr ? state : &local, options));
    std::map<std::string, Tensor> named;
    for (size_t i = 0; i < outputs.size(); ++i)
      named[function_.outputs()[i]->name] = std::move(outputs[i]);
    return named;
  }

  int64_t working_memory_bytes() const override { return 0; }

 private:
  std::shared_ptr<const ir::Model> model_;
  const ir::Function& function_;
};

class Reference : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  Status Available() const override { return {}; }
  Result<std::unique_ptr<Executable>> Load(std::shared_ptr<const ir::Model> model,
                                           const LoadOptions& options) const override {
    if (options.numerics != Numerics::kAsTyped) {
      return Unsupported("the reference backend rounds as the program is typed")
          .Advise("use --backend cpu");
    }
    ANEMONE_ASSIGN(model, WithTensorOutputs(std::move(model)));
    ANEMONE_ASSIGN(const ir::Function* function, ChooseFunction(*model, options.function));
    std::unique_ptr<Executable> executable =
        std::make_unique<ReferenceExecutable>(std::move(model), *function);
    return executable;
  }
};

}  // namespace

const Backend& ReferenceBackend() {
  static const Reference backend;
  return backend;
}

}  // namespace anemone::exec
