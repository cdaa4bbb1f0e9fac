#include "gate/live.h"

#include <algorithm>

#include "exec/function_inputs.h"
#include "gate/check_files.h"
#include "gate/check_parity.h"
#include "gate/checks.h"
#include "gate/fallback_proof.h"
#include "gate/sides.h"
#include "gate/sides_child.h"
#include "lab/precision.h"
#include "placement/analyze.h"
#include "runtime/backends.h"
#include "runtime/run_record_io.h"

namespace anemone::gate {
namespace {

constexpr size_t kMostOperators = 8;

// The model against its reference, both on the executor; on a miss, the operators that drift.
Status CompareWithReference(const Policy& policy, const LiveModel& model,
                            const LiveOptions& options, Evidence& evidence) {
  if (model.reference == nullptr) {
    evidence.parity_problem =
        model.reference_problem.empty() ? "there is no reference" : model.reference_problem;
    return {};
  }
  const auto parity = policy.checks.Of<ParityPolicy>(kParityKey);
  const lab::ParityLimits limits = LimitsFor(parity, evidence.precision);
  ANEMONE_ASSIGN(const exec::Backend* cpu, runtime::FindBackend("cpu"));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model.reference, ""));
  ANEMONE_ASSIGN(const auto synthetic, SyntheticSets(*model.reference, *function, parity));
  lab::VerifyOptions verify;
  verify.threads = options.threads;
  verify.cancelled = options.cancelled;
  const lab::Inputs* bad = nullptr;
  for (const bool real : {false, true}) {
    const auto& inputs = real ? model.real_inputs : synthetic;
    if (inputs.empty()) continue;
    ANEMONE_ASSIGN(const auto outputs,
                   lab::VerifyOn(*cpu, model.reference, model.model, limits, verify, inputs));
    for (const lab::OutputParity& output : outputs) {
      evidence.parity.push_back(
          ParityRow(output, real ? "real" : "synthetic", model.reference_name, evidence.precision));
      if (!output.judged.passed) bad = &inputs.front();
    }
  }
  if (bad == nullptr) return {};
  ANEMONE_ASSIGN(const auto drifts,
                 lab::CompareOperators(*cpu, model.reference, model.model, *bad, verify));
  for (const lab::OperatorDrift& drift : drifts) {
    if (drift.parity.linf_relative <= limits.linf && drift.parity.non_finite == 0) continue;
    if (evidence.drifting_operators.size() >= kMostOperators) break;
    evidence.drifting_operators.push_back(fmt::format(
        "{} '{}' (L-inf {:.2g} of its range)", drift.type, drift.name, drift.parity.linf_relative));
  }
  return {};
}

// Why operators stay off the Neural Engine by the rules of placement, most frequent first.
std::vector<std::string> Blockers(const ir::Model& model) {
  const auto function = exec::ChooseFunction(model, "");
  const auto chip = placement::FindChip("m1");
  if (!function.ok() || !chip.ok()) return {};
  const placement::Analysis analysis =
      placement::Analyze(**function, **chip, placement::FlexibilityOf(model, (*function)->name));
  struct Blocker {
    std::string text;
    int64_t count = 0;
  };
  std::vector<Blocker> blockers;
  for (const placement::AnalyzedOp& op : analysis.operations) {
    if (op.placement.ane.expected) continue;
    std::string text = fmt::format("{}: {}", op.operation->type(), op.placement.ane.reason);
    if (!op.placement.ane.rewrite.empty()) text += "; try: " + op.placement.ane.rewrite;
    const auto found = std::find_if(blockers.begin(), blockers.end(),
                                    [&](const Blocker& blocker) { return blocker.text == text; });
    if (found != blockers.end()) {
      ++found->count;
    } else {
      blockers.push_back({text, 1});
    }
  }
  std::stable_sort(blockers.begin(), blockers.end(),
                   [](const Blocker& a, const Blocker& b) { return a.count > b.count; });
  std::vector<std::string> texts;
  for (const Blocker& blocker : blockers) {
    if (texts.size() >= kMostOperators) break;
    texts.push_back(fmt::format("{} x {}", blocker.count, blocker.text));
  }
  return texts;
}

}  // namespace

Result<Evidence> RunLive(const Policy& policy, const LiveModel& model, const LiveOptions& options) {
  Evidence evidence;
  evidence.model = model.name;
  evidence.model_hash = model.hash;
  evidence.model_path = model.path;
  evidence.precision = model.precision.empty() ? lab::PrecisionOf(*model.model) : model.precision;
  evidence.device = Device{runtime::DescribeMachine()};
  if (Needs(policy, Need::kPackage) && !model.path.empty()) {
    evidence.files =
        LookAtFiles(model.path, policy.checks.Of<FilesPolicy>(kFilesKey).manifest_keys);
  }
  if (Needs(policy, Need::kReference)) {
    if (options.progress) options.progress("comparing with the reference", 0, 0);
    ANEMONE_TRY(CompareWithReference(policy, model, options, evidence).At(model.name));
  }
  if (Needs(policy, Need::kRuns)) {
    const bool alone = !options.helper.empty() && !model.path.empty();
    ANEMONE_TRY((alone ? RunSidesInChild(policy, model, options, evidence)
                       : RunSides(policy, model, options, evidence))
                    .At(model.name));
  }
  if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
  if (Needs(policy, Need::kFaults)) {
    if (options.progress) options.progress("injecting faults", 0, 0);
    ANEMONE_ASSIGN(FallbackProof proof, ProveFallback(model.model, model.name, model.hash,
                                                      options.directory, options.threads));
    evidence.faults = std::move(proof.faults);
    evidence.logs = std::move(proof.logs);
  }
  if (Needs(policy, Need::kPlacement)) evidence.blocking_operators = Blockers(*model.model);
  return evidence;
}

}  // namespace anemone::gate
