#include "passes/pass_runner.h"

#include <algorithm>

#include "base/clock.h"
#include "ir/verifier.h"

namespace anemone::passes {
namespace {

class Runner {
 public:
  Runner(ir::Program& program, const RunOptions& options)
      : program_(program), options_(options), context_([this] { return IsStopped(); }) {}

  Status RunGroup(const PassGroup& group) {
    for (const auto& function : program_.functions) {
      for (int round = 0;; ++round) {
        if (round >= options_.max_rounds) {
          context_.AddNote(
              group.name, function->name,
              fmt::format("still changing after {} rounds: its passes undo one another", round));
          break;
        }
        bool changed = false;
        for (const Pass& pass : group.passes) {
          if (std::ranges::find(options_.disabled, pass.name) != options_.disabled.end()) continue;
          ANEMONE_ASSIGN(const bool did, RunOne(pass, *function));
          changed |= did;
        }
        if (!group.to_fixpoint || !changed) break;
      }
    }
    return {};
  }

  RunReport TakeReport() {
    report_.notes = std::move(context_.notes());
    return std::move(report_);
  }

 private:
  bool IsStopped() const { return options_.progress && !options_.progress(running_); }

  PassRecord& RecordOf(std::string_view name) {
    for (PassRecord& record : report_.passes) {
      if (record.name == name) return record;
    }
    report_.passes.push_back({.name = std::string(name)});
    return report_.passes.back();
  }

  Result<bool> RunOne(const Pass& pass, ir::Function& function) {
    const std::string place = fmt::format("pass {}", pass.name);
    running_ = pass.name;
    ANEMONE_TRY(context_.CheckCancelled().At(place));
    const int64_t start_ns = NowNs();
    ANEMONE_ASSIGN(const bool changed, pass.run(function, context_).At(place));
    const int64_t time_ns = NowNs() - start_ns;
    PassRecord& record = RecordOf(pass.name);
    record.time_ns += time_ns;
    ++record.runs;
    record.changes += changed ? 1 : 0;
    if (changed && options_.verify) {
      const Status verified = ir::Verify(function);
      if (!verified.ok()) {
        return Internal("the pass broke the program: {}", verified.ToString()).At(place);
      }
    }
    return changed;
  }

  ir::Program& program_;
  const RunOptions& options_;
  PassContext context_;
  std::string_view running_;  // the name of the pass
  RunReport report_;
};

Status CheckNames(std::span<const PassGroup> groups, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    bool found = false;
    std::string known;
    for (const PassGroup& group : groups) {
      for (const Pass& pass : group.passes) {
        found |= pass.name == name;
        known += (known.empty() ? "" : ", ") + std::string(pass.name);
      }
    }
    if (!found) return Usage("there is no pass named '{}'", name).Advise("passes: " + known);
  }
  return {};
}

}  // namespace

Result<RunReport> RunPasses(ir::Program& program, std::span<const PassGroup> groups,
                            const RunOptions& options) {
  ANEMONE_TRY(CheckNames(groups, options.disabled));
  Runner runner(program, options);
  for (const PassGroup& group : groups) ANEMONE_TRY(runner.RunGroup(group));
  return runner.TakeReport();
}

}  // namespace anemone::passes
