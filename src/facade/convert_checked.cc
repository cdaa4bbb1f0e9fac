#include "facade/convert_checked.h"

#include <algorithm>
#include <set>
#include <utility>

#include "exec/function_inputs.h"
#include "ir/arithmetic.h"
#include "lab/half_check.h"
#include "lab/half_samples.h"
#include "lab/half_search.h"
#include "lab/input_files.h"
#include "passes/float16.h"
#include "passes/input_exponentials.h"
#include "passes/value_ranges.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

// A conversion stays cheap: what is larger than this is not run unless inputs are given.
constexpr int64_t kMostWeightBytes = int64_t{512} << 20;
constexpr int64_t kMostFlops = 50'000'000'000;
// Of the caller's inputs, those that are run.
constexpr int64_t kMostFiles = 16;
// Above this share, float16 is hardly worth its name.
constexpr double kMuchFloat32 = 0.05;

// A share of arithmetic above this is all of it.
constexpr double kWorthNaming = 0.9;

using Float16 = ConvertReport::Float16;

struct Size {
  int64_t weight_bytes = 0;
  int64_t flops = 0;
};

Size SizeOf(const ir::Program& program) {
  Size size;
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (operation.is_const()) {
        size.weight_bytes += static_cast<int64_t>(operation.output()->literal->bytes().size());
      } else {
        size.flops += ir::FlopsOf(operation, function->opset).value_or(0);
      }
    });
  }
  return size;
}

// Why the model is not run on inputs that nobody asked to be run; empty when it is.
std::string TooLarge(const ir::Program& program) {
  const Size size = SizeOf(program);
  if (size.weight_bytes > kMostWeightBytes) {
    return fmt::format("its weights take {} MB, beyond the {} MB up to which a model is run for it",
                       size.weight_bytes >> 20, kMostWeightBytes >> 20);
  }
  if (size.flops > kMostFlops) {
    return fmt::format("one run takes {} GFLOP, beyond the {} up to which a model is run for it",
                       size.flops / 1'000'000'000, kMostFlops / 1'000'000'000);
  }
  return "";
}

// The caller's inputs.
Result<std::vector<lab::Inputs>> GivenSamples(const ir::Model& model, const ir::Function& function,
                                              const ConvertOptions& options) {
  ANEMONE_ASSIGN(const auto files,
                 lab::InputFiles::Open(options.check_inputs, function,
                                       model.FindFunction(function.name), lab::Preprocess{}));
  std::vector<lab::Inputs> samples;
  const int64_t count = std::min(files.count(), kMostFiles);
  for (int64_t i = 0; i < count; ++i) {
    ANEMONE_ASSIGN(auto inputs, files.Sample(i * files.count() / count));
    samples.push_back(std::move(inputs));
  }
  if (samples.empty()) return InvalidInput("there are no inputs").At(options.check_inputs);
  return samples;
}

std::string Plural(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string Percent(double share) { return fmt::format("{:.2g} %", share * 100); }

std::string ErrorText(const lab::HalfOutcome& outcome) {
  if (!outcome.failure.empty()) return outcome.failure;
  if (outcome.worst_differs) {
    return fmt::format("{} of the integers of the output '{}' differ", Percent(outcome.worst),
                       outcome.worst_output);
  }
  return fmt::format("the output '{}' is off by {:.2g} of its range", outcome.worst_output,
                     outcome.worst);
}

// What was done, as "2 operators stay in float32 (0.1 % of the arithmetic, 3 casts more)"; empty
// when nothing was.
std::string Mended(const lab::HalfPlan& plan) {
  std::string text;
  if (const auto kept = static_cast<int64_t>(plan.keep.size()); kept > 0) {
    text = fmt::format("{} {} in float32 ({} of the arithmetic, {} more)", Plural(kept, "operator"),
                       kept == 1 ? "stays" : "stay", Percent(plan.cost.share),
                       Plural(plan.casts_added, "cast"));
  }
  if (plan.rescaled > 0) {
    text += fmt::format("{}the results of {} are scaled by powers of two", text.empty() ? "" : ", ",
                        Plural(plan.rescaled, "operator"));
  }
  return text;
}

// What the user is told, in one line; empty when there is nothing to tell.
std::string Told(const lab::HalfPlan& plan, const Float16& found) {
  const double limit = lab::HalfSearchOptions().limit;
  const std::string mended = Mended(plan);
  const bool near = plan.outcome.worst <= limit;
  if (mended.empty() && near) return "";
  std::string line = "float16: ";
  if (!mended.empty()) line += mended + "; otherwise " + ErrorText(plan.plain) + "; now ";
  line += near ? fmt::format("{:.2g}", plan.outcome.worst) : ErrorText(plan.outcome);
  line += " on " + found.inputs;
  if (!near && plan.least_share <= kWorthNaming) {
    line += fmt::format("; within {} only with {} of the arithmetic in float32", limit,
                        Percent(plan.least_share));
  }
  if (!near || plan.cost.share > kMuchFloat32)
    line += "; --compute-precision float32 may serve better";
  return line;
}

Error CannotBeHalf(const lab::HalfPlan& plan, const Float16& found, bool automatic) {
  return Unsupported("in float16 {} (on {})", plan.outcome.failure, found.inputs)
      .Advise(std::string("convert with --compute-precision float32") +
              (automatic ? "" : ", let --keep-float32 auto choose what stays in float32") +
              ", name more operators with --keep-float32 (`anemone doctor` shows where it breaks), "
              "or write it as it is with --keep-float32 none");
}

// Keeps what float16 can be known to lose without a run: results whose every possible value is
// beyond half's range, or too small for it; and exponentials of inputs, which random ones do not test.
void KeepWhatIsLost(const ir::Model& model, std::set<std::string>* keep) {
  for (const auto& function : model.program.functions) {
    const passes::ValueRanges declared = passes::DeclaredRanges(model, *function);
    const passes::ValueRanges ranges = passes::PropagateRanges(*function, declared);
    for (const std::string& name : passes::LostInHalf(*function, ranges)) keep->insert(name);
    for (const std::string& name : passes::InputExponentials(*function, declared))
      keep->insert(name);
  }
}

class CheckedConversion {
 public:
  CheckedConversion(std::shared_ptr<const ir::Model> single, const ConvertOptions& options,
                    const KeepFloat32& wanted, const ConvertProgress& progress)
      : single_(std::move(single)), options_(options), wanted_(wanted), progress_(progress) {}

  // Chooses what stays in float32, and what program to start from.
  Status Run() {
    if (wanted_.automatic) KeepWhatIsLost(*single_, &keep_);
    found_.skipped = options_.check_inputs.empty() ? TooLarge(single_->program) : "";
    for (size_t i = 0; i < single_->program.functions.size() && found_.skipped.empty(); ++i)
      ANEMONE_TRY(OnFunction(single_->program.functions[i]->name));
    if (!found_.skipped.empty()) {
      notes_.push_back("float16 was not checked against float32: " + found_.skipped +
                       " (--check-inputs FOLDER runs it on inputs; --keep-float32 none asks for no "
                       "check)");
    }
    return {};
  }

  // The float32 program that the result is made of.
  const ir::Model& single() const { return *single_; }
  // Once it was copied: its float32 weights would stay in memory beside their halves.
  void ForgetSingle() { single_.reset(); }
  const std::set<std::string>& keep() const { return keep_; }
  Float16& found() { return found_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Status OnFunction(const std::string& name) {
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*single_, name));
    ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("cpu"));
    if (!options_.check_inputs.empty()) {
      ANEMONE_ASSIGN(auto samples, GivenSamples(*single_, *function, options_));
      found_.inputs =
          Plural(static_cast<int64_t>(samples.size()), "input") + " of " + options_.check_inputs;
      ANEMONE_ASSIGN(const auto check,
                     lab::HalfCheck::Make(*backend, single_, name, std::move(samples), 0));
      return OnSamples(check);
    }
    for (const int64_t integers : lab::kIntegerRanges) {
      auto samples = lab::HalfSamples(*single_, *function, integers);
      if (!samples.ok()) {
        found_.skipped = samples.error().message();
        return {};
      }
      const auto check = lab::HalfCheck::Make(*backend, single_, name, *std::move(samples), 0);
      if (check.ok()) {
        found_.inputs = lab::DescribeHalfSamples();
        found_.skipped.clear();
        return OnSamples(*check);
      }
      found_.skipped = "it does not run here on random inputs: " + check.error().message();
    }
    return {};
  }

  Status OnSamples(const lab::HalfCheck& check) {
    lab::HalfSearchOptions search;
    search.chooses = wanted_.automatic;
    search.cancelled = [&] { return progress_ && !progress_("float16"); };
    search.to_float16 = [&](const ir::Model& single, const std::set<std::string>& more) {
      std::set<std::string> all = keep_;
      all.insert(more.begin(), more.end());
      return HalfCopy(single, wanted_.patterns, all);
    };
    ANEMONE_ASSIGN(const lab::HalfPlan plan, lab::PlanHalf(check, search));
    if (!plan.outcome.failure.empty()) return CannotBeHalf(plan, found_, wanted_.automatic);
    single_ = plan.base;
    keep_.insert(plan.keep.begin(), plan.keep.end());
    for (const std::string& name : plan.keep)
      found_.keep_float32.push_back(passes::OperationPatterns::Of(name));
    found_.rescaled += plan.rescaled;
    found_.error_plain = std::max(found_.error_plain.value_or(0), plan.plain.worst);
    found_.error = std::max(found_.error.value_or(0), plan.outcome.worst);
    found_.casts_added += plan.casts_added;
    const std::string line = Told(plan, found_);
    if (!line.empty()) notes_.push_back(line);
    return {};
  }

  std::shared_ptr<const ir::Model> single_;
  const ConvertOptions& options_;
  const KeepFloat32& wanted_;
  const ConvertProgress& progress_;
  std::set<std::string> keep_;
  Float16 found_;
  std::vector<std::string> notes_;
};

}  // namespace

Status ConvertChecked(ir::Model& model, const ConvertOptions& options, ConvertReport* report,
                      const ConvertProgress& progress) {
  ANEMONE_ASSIGN(const KeepFloat32 wanted, ParseKeepFloat32(options.keep_float32));
  if (options.compute_precision != "float16" || !wanted.checked)
    return Convert(model, options, report, progress);
  ConvertReport local;
  ConvertReport& out = report != nullptr ? *report : local;
  ConvertOptions single = options;
  single.compute_precision = "float32";
  ANEMONE_TRY(Convert(model, single, &out, progress));
  CheckedConversion checked(std::make_shared<const ir::Model>(CloneModel(model)), options, wanted,
                            progress);
  ANEMONE_TRY(checked.Run());
  model.program = ir::Clone(checked.single().program);
  checked.ForgetSingle();
  ANEMONE_TRY(ConvertToHalf(
      model, wanted.patterns,
      [&](const ir::Operation& operation) { return checked.keep().contains(operation.name()); },
      &out, progress));
  model.notes.insert(model.notes.end(), checked.notes().begin(), checked.notes().end());
  if (const ir::Function* function = model.program.main()) {
    const lab::HalfCost cost = lab::CostOfHalf(*function);
    checked.found().float32_share = cost.share;
    checked.found().float32_operators = cost.operators;
  }
  out.float16 = std::move(checked.found());
  return {};
}

}  // namespace anemone::facade
