// The options of a session as the interfaces take them (flags, JSON, Python), turned into what the
// runtime works with. Thread rules: pure functions. Errors: kUsage, naming the key and the rule.
#pragma once

#include <string>
#include <string_view>

#include "anemone/session.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "runtime/session.h"

namespace anemone::facade {

// What a JSON object of options holds: how to load the model, and how to serve it.
struct OpenOptions {
  ModelSource source;
  SessionOptions session;
};
// An object with any of the fields of SessionOptions under their names ("breaker" holds an object),
// and "weights" and "seed". Empty text: the defaults. Unknown keys and wrong types are refused, all
// at once.
Result<OpenOptions> ParseOpenOptions(std::string_view json);

// Opens a session on a loaded model; `argument` is what named it (a path, a catalog name). Its
// content is hashed when something is to be remembered.
Result<std::shared_ptr<runtime::Session>> OpenSession(const LoadedModel& model,
                                                      const std::string& argument,
                                                      const SessionOptions& options);

// Whether the backend named so ("auto" included) is one that sessions guard and remember about.
Result<bool> IsExternalBackend(const std::string& backend);

// SHA-256 of what `argument` names: a package, a file, or a catalog model with its weights.
Result<std::string> ContentHash(const LoadedModel& model, const std::string& argument);

}  // namespace anemone::facade
