// --compute-units, --no-fallback and the other flags of commands that serve a model through a
// session. Thread rules: the main thread.
#pragma once

#include <memory>
#include <string>

#include "anemone/options.h"
#include "base/status.h"
#include "cli/command.h"
#include "facade/model_source.h"
#include "runtime/session.h"

namespace anemone::cli {

// All of the table; the first inference is the user's unless --warm-up says otherwise.
void AddSessionFlags(Command command, SessionOptions& options);

// `argument` is what named the model. Where something is remembered or compiled, the user's folders
// stand for those that are not given.
Result<std::shared_ptr<runtime::Session>> OpenSession(const facade::LoadedModel& model,
                                                      const std::string& argument,
                                                      SessionOptions options,
                                                      const Globals& globals);

}  // namespace anemone::cli
