#include "compress/calibrate.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace anemone::compress {

Status ForEachActivation(
    const ir::Model& model, const Calibration& calibration, const SampleProgress& progress,
    const std::function<bool()>& cancelled,
    const std::function<void(const std::string& name, const exec::ConstTensor& tensor)>& visit) {
  const int64_t count = calibration.data->count();
  if (count == 0) return Usage("there are no calibration inputs");
  // The executable shares its model, so it gets a copy that shares the weights.
  auto shared = std::make_shared<ir::Model>();
  shared->spec_version = model.spec_version;
  shared->metadata = model.metadata;
  shared->functions = model.functions;
  shared->multi_function = model.multi_function;
  shared->default_function = model.default_function;
  shared->program = ir::Clone(model.program);
  ANEMONE_ASSIGN(const auto executable, calibration.load(shared));
  exec::Tracer tracer;
  tracer.values = true;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    if (event.operation == nullptr) return;
    for (size_t i = 0; i < event.outputs.size() && i < event.operation->outputs().size(); ++i) {
      if (event.outputs[i].dtype == DType::kFp32)
        visit(event.operation->output(i)->name, event.outputs[i]);
    }
  };
  for (int64_t i = 0; i < count; ++i) {
    if (cancelled && cancelled()) return Cancelled("interrupted");
    ANEMONE_ASSIGN(const auto inputs, calibration.data->Sample(i));
    for (const auto& [name, tensor] : inputs) {
      if (tensor.dtype() != DType::kFp32) continue;
      // Infinities may be intended (masks), but a NaN would turn everything after it into NaN.
      const exec::ConstTensor view = tensor.view();
      const std::span<const float> values(view.As<float>(), static_cast<size_t>(view.count()));
      if (std::ranges::any_of(values, [](float value) { return std::isnan(value); }))
        return InvalidInput("calibration input {}: '{}' holds NaN values", i + 1, name);
      visit(name, view);
    }
    ANEMONE_TRY(executable->Run(inputs, nullptr, &tracer).status().At("calibration"));
    if (progress) progress("calibration inputs", i + 1, count);
  }
  return {};
}

Result<Observers> ObserveActivations(const ir::Model& model, const Calibration& calibration,
                                     const std::set<std::string>& names, bool histogram,
                                     const SampleProgress& progress,
                                     const std::function<bool()>& cancelled) {
  Observers observers;
  ANEMONE_TRY(ForEachActivation(model, calibration, progress, cancelled,
                                [&](const std::string& name, const exec::ConstTensor& tensor) {
                                  if (!names.contains(name)) return;
                                  auto at = observers.try_emplace(name, histogram).first;
                                  at->second.Add(
                                      {tensor.As<float>(), static_cast<size_t>(tensor.count())});
                                }));
  return observers;
}

}  // namespace anemone::compress
