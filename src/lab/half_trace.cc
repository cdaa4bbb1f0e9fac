#include "lab/half_trace.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <unordered_map>

#include "lab/parity.h"

namespace anemone::lab {
namespace {

constexpr double kHalfMax = 65504;

// The float32 output of one operator.
struct Reference {
  exec::Tensor value;
  double rms = 0;
};

double Rms(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

std::span<const float> Floats(const exec::ConstTensor& tensor) {
  return {tensor.As<float>(), static_cast<size_t>(tensor.count())};
}

class HalfTracer {
 public:
  explicit HalfTracer(std::vector<OperatorFidelity>* rows) : found_(*rows) {}

  // Runs one input through both.
  Status Add(exec::Executable& single, exec::Executable& half, const Inputs& inputs) {
    references_.clear();
    Status failed;
    exec::Tracer first;
    first.values = true;
    first.on_operation = [&](const exec::TraceEvent& event) {
      if (event.operation == nullptr) return;
      for (size_t i = 0; i < event.outputs.size() && i < event.operation->outputs().size(); ++i) {
        if (event.outputs[i].dtype != DType::kFp32) continue;
        auto copy = exec::Tensor::Copy(event.outputs[i]);
        if (!copy.ok()) {
          failed = std::move(copy).status();
          return;
        }
        const double rms = Rms(Floats(event.outputs[i]));
        references_[event.operation->output(i)->name] = {std::move(copy).value(), rms};
      }
    };
    exec::State first_state;
    ANEMONE_TRY(single.Run(inputs, &first_state, &first).At("in float32").status());
    ANEMONE_TRY(failed);
    errors_.clear();
    exec::Tracer second;
    second.values = true;
    second.on_operation = [&](const exec::TraceEvent& event) {
      if (event.operation != nullptr) Judge(event);
    };
    exec::State second_state;
    return half.Run(inputs, &second_state, &second).At("in float16").status();
  }

 private:
  OperatorFidelity& RowOf(const ir::Operation& operation) {
    const auto [found, added] = rows_.try_emplace(&operation, found_.size());
    if (added) {
      OperatorFidelity row;
      row.name = operation.name();
      row.type = operation.type();
      row.value = operation.output(0)->name;
      found_.push_back(std::move(row));
    }
    return found_[found->second];
  }

  void Judge(const exec::TraceEvent& event) {
    double taken = 0;  // the error of the operator's inputs
    for (const ir::Argument& argument : event.operation->arguments()) {
      for (const ir::Value* value : argument.values) {
        const auto found = errors_.find(value->name);
        if (found != errors_.end()) taken = std::max(taken, found->second);
      }
    }
    for (size_t i = 0; i < event.outputs.size() && i < event.operation->outputs().size(); ++i) {
      const std::string& name = event.operation->output(i)->name;
      const auto found = references_.find(name);
      if (found == references_.end() || event.outputs[i].dtype != DType::kFp32) continue;
      if (found->second.value.shape() != event.outputs[i].shape) continue;
      OperatorFidelity& row = RowOf(*event.operation);
      const auto wanted = Floats(found->second.value.view());
      const auto got = Floats(event.outputs[i]);
      double squares = 0;
      int64_t compared = 0;
      for (size_t k = 0; k < wanted.size(); ++k) {
        const double magnitude = std::abs(double{wanted[k]});
        if (!std::isnan(wanted[k])) row.largest = std::max(row.largest, magnitude);
        // Judged in float32, so that an earlier overflow in half does not count here.
        const bool beyond = magnitude > kHalfMax;
        if (!beyond && (std::isnan(wanted[k]) || std::isnan(got[k]))) {
          ++row.not_a_number;
          continue;
        }
        if (beyond || std::isinf(got[k])) {
          ++row.overflowing;
          continue;
        }
        const double difference = double{got[k]} - wanted[k];
        squares += difference * difference;
        ++compared;
      }
      const double rms = compared == 0 ? 0 : std::sqrt(squares / static_cast<double>(compared));
      double error = found->second.rms > 0 ? rms / found->second.rms : (rms > 0 ? kInfinity : 0);
      if (row.overflowing > 0 || row.not_a_number > 0) error = kInfinity;
      errors_[name] = error;
      row.error = std::max(row.error, error);
      // Independent errors add as squares.
      const double added = std::isinf(error)
                               ? (std::isinf(taken) ? 0 : kInfinity)
                               : std::sqrt(std::max(0.0, error * error - taken * taken));
      row.added = std::max(row.added, added);
    }
  }

  std::vector<OperatorFidelity>& found_;
  std::unordered_map<std::string, Reference> references_;
  std::unordered_map<std::string, double> errors_;
  std::unordered_map<const ir::Operation*, size_t> rows_;
};

}  // namespace

Result<std::vector<OperatorFidelity>> TraceHalf(const exec::Backend& backend,
                                                std::shared_ptr<const ir::Model> model,
                                                const std::string& function,
                                                std::span<const Inputs> samples, int threads) {
  exec::LoadOptions load;
  load.function = function;
  load.threads = threads;
  load.numerics = exec::Numerics::kFloat32;
  ANEMONE_ASSIGN(const auto single, backend.Load(model, load));
  load.numerics = exec::Numerics::kFloat16;
  ANEMONE_ASSIGN(const auto half, backend.Load(model, load));
  std::vector<OperatorFidelity> rows;
  HalfTracer tracer(&rows);
  for (const Inputs& inputs : samples) ANEMONE_TRY(tracer.Add(*single, *half, inputs));
  return rows;
}

}  // namespace anemone::lab
