#include "lab/fidelity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "base/json.h"
#include "exec/function_inputs.h"
#include "lab/parity_json.h"
#include "lab/verify.h"

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

// Regular expressions match names in full, and names may hold special characters.
std::string Escape(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

class Diagnosis {
 public:
  explicit Diagnosis(Fidelity* fidelity) : fidelity_(*fidelity) {}

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
    ANEMONE_TRY(single.Run(inputs, nullptr, &first).At("in float32").status());
    ANEMONE_TRY(failed);
    errors_.clear();
    exec::Tracer second;
    second.values = true;
    second.on_operation = [&](const exec::TraceEvent& event) {
      if (event.operation != nullptr) Judge(event);
    };
    return half.Run(inputs, nullptr, &second).At("in float16").status();
  }

 private:
  OperatorFidelity& RowOf(const ir::Operation& operation) {
    const auto [found, added] = rows_.try_emplace(&operation, fidelity_.operators.size());
    if (added) {
      OperatorFidelity row;
      row.name = operation.name();
      row.type = operation.type();
      fidelity_.operators.push_back(std::move(row));
    }
    return fidelity_.operators[found->second];
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

  Fidelity& fidelity_;
  std::unordered_map<std::string, Reference> references_;
  std::unordered_map<std::string, double> errors_;
  std::unordered_map<const ir::Operation*, size_t> rows_;
};

Result<std::vector<OutputParity>> Compare(const exec::Backend& backend,
                                          const std::shared_ptr<const ir::Model>& model,
                                          const std::shared_ptr<const ir::Model>& half,
                                          exec::Numerics numerics, const Samples& samples,
                                          const FidelityOptions& options) {
  VerifyOptions verify;
  verify.threads = options.threads;
  verify.reference_numerics = exec::Numerics::kFloat32;
  verify.variant_numerics = numerics;
  std::vector<Inputs> inputs;
  for (int64_t i = 0; i < samples.count(); ++i) inputs.push_back(samples.at(i));
  return VerifyOn(backend, model, half, options.limits, verify, inputs);
}

bool AllPassed(const std::vector<OutputParity>& outputs) {
  return std::ranges::all_of(outputs,
                             [](const OutputParity& output) { return output.judged.passed; });
}

}  // namespace

Result<Fidelity> DiagnoseFloat16(const exec::Backend& backend,
                                 std::shared_ptr<const ir::Model> model, const Samples& samples,
                                 const FidelityOptions& options) {
  Fidelity fidelity;
  fidelity.inputs = samples.description();
  exec::LoadOptions load;
  load.threads = options.threads;
  load.numerics = exec::Numerics::kFloat32;
  ANEMONE_ASSIGN(const auto single, backend.Load(model, load));
  load.numerics = exec::Numerics::kFloat16;
  ANEMONE_ASSIGN(const auto half, backend.Load(model, load));
  Diagnosis diagnosis(&fidelity);
  for (int64_t i = 0; i < samples.count(); ++i)
    ANEMONE_TRY(diagnosis.Add(*single, *half, samples.at(i)));
  std::vector<const OperatorFidelity*> order;
  for (const OperatorFidelity& row : fidelity.operators) {
    if (fidelity.first_overflow.empty() && row.overflowing > 0) fidelity.first_overflow = row.name;
    if (fidelity.first_not_a_number.empty() && row.not_a_number > 0)
      fidelity.first_not_a_number = row.name;
    if (row.added > 0) order.push_back(&row);
  }
  std::ranges::stable_sort(order, std::greater(), &OperatorFidelity::added);
  for (size_t i = 0; i < std::min(order.size(), options.max_dominant); ++i)
    fidelity.dominant.push_back(order[i]->name);

  std::shared_ptr<const ir::Model> converted;
  if (options.to_float16) {
    ANEMONE_ASSIGN(converted, options.to_float16({}));
  }
  // Core ML's float16 program if it can be made; otherwise every result is rounded.
  ANEMONE_ASSIGN(
      fidelity.outputs,
      Compare(backend, model, converted ? converted : model,
              converted ? exec::Numerics::kAsTyped : exec::Numerics::kFloat16, samples, options));
  fidelity.passed = AllPassed(fidelity.outputs);
  if (fidelity.passed || !options.to_float16) return fidelity;
  // Operators that take a value beyond half's range must be float32 too.
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, ""));
  const ir::UseMap uses = ir::FindUses(*function);
  std::unordered_map<std::string, std::vector<std::string>> takers;
  ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
    for (const auto& output : operation.outputs()) {
      const auto found = uses.find(output.get());
      if (found == uses.end()) continue;
      for (const ir::Use& use : found->second)
        if (use.operation != nullptr) takers[operation.name()].push_back(use.operation->name());
    }
  });
  std::set<std::string> overflowing;
  for (const OperatorFidelity& row : fidelity.operators)
    if (row.overflowing > 0) overflowing.insert(row.name);
  // The worst 1, 2, 4 ... operators, until the outputs pass.
  size_t count = 1;
  for (int trial = 0; trial < options.max_trials && !order.empty(); ++trial) {
    count = std::min(count, order.size());
    std::vector<std::string> keep;
    const auto add = [&](const std::string& name) {
      std::string pattern = Escape(name);
      if (std::ranges::find(keep, pattern) == keep.end()) keep.push_back(std::move(pattern));
    };
    // Follows values beyond the range (a convolution, its relu) to the operator that leads back.
    std::vector<std::string> chosen;
    std::set<std::string> seen;
    const auto choose = [&](const std::string& name) {
      if (seen.insert(name).second) chosen.push_back(name);
    };
    for (size_t i = 0; i < count; ++i) choose(order[i]->name);
    for (size_t i = 0; i < chosen.size(); ++i) {
      add(chosen[i]);
      if (!overflowing.contains(chosen[i])) continue;
      for (const std::string& taker : takers[chosen[i]]) choose(taker);
    }
    ANEMONE_ASSIGN(const auto kept, options.to_float16(keep));
    ANEMONE_ASSIGN(auto outputs,
                   Compare(backend, model, kept, exec::Numerics::kAsTyped, samples, options));
    if (AllPassed(outputs)) {
      fidelity.keep_float32 = std::move(keep);
      fidelity.kept_outputs = std::move(outputs);
      fidelity.kept_passed = true;
      break;
    }
    if (count == order.size()) break;
    count *= 2;
  }
  return fidelity;
}

std::string FidelityJson(const Fidelity& fidelity) {
  const auto name = [](const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
  };
  const auto outputs = [](const std::vector<OutputParity>& list) {
    Json rows = Json::Array();
    for (const OutputParity& output : list) {
      Json row{{"output", output.output}};
      row.Update(ParityJson(output.parity));
      row["limit_l_inf"] = output.limits.linf;
      row["limit_rmse"] = output.limits.rmse;
      row["passed"] = output.judged.passed;
      rows.push_back(std::move(row));
    }
    return rows;
  };
  Json json;
  json["inputs"] = fidelity.inputs;
  json["passed"] = fidelity.passed;
  json["first_overflow"] = name(fidelity.first_overflow);
  json["first_not_a_number"] = name(fidelity.first_not_a_number);
  json["dominant"] = fidelity.dominant;
  json["keep_float32"] = fidelity.keep_float32;
  json["keep_float32_passed"] =
      fidelity.keep_float32.empty() ? Json(nullptr) : Json(fidelity.kept_passed);
  json["outputs"] = outputs(fidelity.outputs);
  json["outputs_with_keep_float32"] = outputs(fidelity.kept_outputs);
  Json rows = Json::Array();
  for (const OperatorFidelity& row : fidelity.operators) {
    rows.push_back({{"name", row.name},
                    {"type", row.type},
                    {"largest", FiniteOrNull(row.largest)},
                    {"overflowing", row.overflowing},
                    {"not_a_number", row.not_a_number},
                    {"error", FiniteOrNull(row.error)},
                    {"added", FiniteOrNull(row.added)}});
  }
  json["operators"] = std::move(rows);
  return json.Dump();
}

}  // namespace anemone::lab
