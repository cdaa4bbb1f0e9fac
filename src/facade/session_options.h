// Opens sessions: the options that the interfaces take, turned into what the runtime works with.
// Thread rules: pure functions. Errors: kUsage, naming the option and the rule.
#pragma once

#include <string>
#include <vector>

#include "anemone/options.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "runtime/session.h"

namespace anemone::facade {

// The program as a session of this back end runs it: an ML Program that a file holds is what its writer
// made of it, and other models get the patterns recognized that have an operator of their own. What the
// reference back end runs stays as it was read.
Result<std::shared_ptr<const ir::Model>> AsRun(const LoadedModel& model,
                                               const std::string& backend);

// Opens a session on a loaded model; `argument` is what named it (a path, a catalog name). Its
// content is hashed when something is to be remembered. `backends`, if any, take the place of the
// one that the options name: the preferred one first, the last one trusted.
Result<std::shared_ptr<runtime::Session>> OpenSession(
    const LoadedModel& model, const std::string& argument, const SessionOptions& options,
    const std::vector<const exec::Backend*>& backends = {});

// Whether the backend named so ("auto" included) is one that sessions guard and remember about.
Result<bool> IsExternalBackend(const std::string& backend);

// SHA-256 of what `argument` names: a package, a file, or a catalog model with its weights.
Result<std::string> ContentHash(const LoadedModel& model, const std::string& argument);

}  // namespace anemone::facade
