#include "cli/session_flags.h"

#include "base/cache_root.h"
#include "cli/option_flags.h"
#include "facade/session_options.h"

namespace anemone::cli {

void AddSessionFlags(Command command, SessionOptions& options) {
  options.warm_up = false;
  AddOptions(command, options::TableOf(options));
}

Result<std::shared_ptr<runtime::Session>> OpenSession(const facade::LoadedModel& model,
                                                      const std::string& argument,
                                                      SessionOptions options,
                                                      const Globals& globals) {
  options.threads = globals.threads;
  // What is remembered costs a hash of the model: only where something remembers.
  ANEMONE_ASSIGN(const bool external, facade::IsExternalBackend(options.backend));
  if (options.state_dir.empty() && (external || options.dispatch_by_measurement)) {
    options.state_dir = StateRoot();
  }
  if (options.cache_dir.empty() && external) options.cache_dir = CacheRoot();
  return facade::OpenSession(model, argument, options);
}

}  // namespace anemone::cli
