// Whether the package has its manifest, complete and about this package.
#include "gate/check_files.h"

#include <fmt/core.h>

#include "gate/checks.h"

namespace anemone::gate {
namespace {

CheckResult JudgeFiles(const FilesPolicy&, const Policy&, const Evidence& evidence,
                       CheckResult result) {
  result.limit = "manifest of this package, no unknown key, variant verified";
  if (!evidence.files) return NotMeasured(std::move(result), "no package was given");
  const FilesEvidence& files = *evidence.files;
  result.evidence.push_back(files.manifest_path);
  if (!files.problem.empty()) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kOther;
    result.value = files.problem;
    return result;
  }
  if (files.verified == false) {
    result.verdict = Verdict::kFail;
    result.failure = FailureClass::kAccuracy;
    result.value = "the manifest says that the variant missed its limits";
    return result;
  }
  if (!files.unknown.empty() || !files.verified) {
    result.verdict = Verdict::kInconclusive;
    std::string keys;
    for (const std::string& key : files.unknown) keys += (keys.empty() ? "" : ", ") + key;
    result.value = keys.empty() ? "never verified" : "unknown: " + keys;
    return result;
  }
  result.verdict = Verdict::kPass;
  result.value = "complete, verified";
  return result;
}

}  // namespace

Check FilesCheck() {
  return MakeCheck<FilesPolicy, JudgeFiles>(
      {.key = kFilesKey,
       .title = "Manifest complete, files in place",
       .needs = {Need::kPackage},
       .passes_when = "the manifest is complete, about this package, and says that the variant was "
                      "verified"});
}

}  // namespace anemone::gate
